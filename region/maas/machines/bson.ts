/**
 * A flat BSON document (bsonspec.org 1.1) of binary and null values: int32 length, elements, NUL. Element types used:
 * 0x05 binary (int32 length, subtype 0), 0x0A null.
 */
export function bsonDocument(fields: Readonly<Record<string, Buffer | null>>): Buffer {
  const elements = Object.entries(fields).map(([name, value]) => {
    const key = Buffer.from(`${name}\0`, 'utf8');
    if (value === null) return Buffer.concat([Buffer.from([0x0a]), key]);
    const head = Buffer.alloc(5);
    head.writeInt32LE(value.length, 0);
    return Buffer.concat([Buffer.from([0x05]), key, head, value]);
  });
  const body = Buffer.concat(elements);
  const length = Buffer.alloc(4);
  length.writeInt32LE(4 + body.length + 1, 0);
  return Buffer.concat([length, body, Buffer.from([0])]);
}
