/** Decoding of the MIME transfer encodings that Python's e-mail package puts on form parts (RFC 2045 §6.7, §6.8). */
export function decodeTransfer(encoding: string, bytes: Buffer): Buffer {
  switch (encoding.toLowerCase()) {
    case 'base64':
      // Node's decoder skips line breaks and stops at padding, as RFC 2045 asks for.
      return Buffer.from(bytes.toString('latin1'), 'base64');
    case 'quoted-printable':
      return decodeQuotedPrintable(bytes);
    default:
      return bytes;
  }
}

const EQUALS = 0x3d;

/** A malformed `=` sequence is kept as it stands, the robust reading of RFC 2045 §6.7. */
export function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replace(/[ \t]+(?=\r?\n|$)/g, '');
  const out: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== EQUALS) {
      out.push(code);
      continue;
    }
    if (text[i + 1] === '\n') {
      i += 1;
    } else if (text[i + 1] === '\r' && text[i + 2] === '\n') {
      i += 2;
    } else {
      const hex = text.slice(i + 1, i + 3);
      if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
        out.push(Number.parseInt(hex, 16));
        i += 2;
      } else {
        out.push(code);
      }
    }
  }
  return Buffer.from(out);
}
