import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBody } from './body.ts';
import { MaasError } from './errors.ts';
import { readMultipart } from './multipart.ts';
import { decodeQuotedPrintable } from './transfer.ts';
import { allOf, lastOf } from './values.ts';

const bytes = (name: string): Buffer => readFileSync(new URL(`./testdata/${name}`, import.meta.url));

/** Each file is a body as the named client sends it; its first line is the content type (clients.md §1.3). */
function sent(name: string): { type: string; body: Buffer } {
  const whole = bytes(name);
  const end = whole.indexOf('\n');
  return { type: whole.subarray(0, end).toString('latin1'), body: whole.subarray(end + 1) };
}

async function decode(name: string) {
  const { type, body } = sent(name);
  return await decodeBody(type, body);
}

describe('bodies of real clients', () => {
  test('maas CLI: every part base64, boundary of equals signs, file with filename', async () => {
    const form = await decode('cli.multipart');
    expect(lastOf(form.values, 'distro_series')).toBe('bookworm');
    expect(lastOf(form.values, 'comment')).toBe('für Łukasz');
    expect(form.files).toEqual([{ field: 'content', filename: 'content', bytes: Buffer.from([0, 255, 10, 13]) }]);
  });

  test('python-libmaas: octet-stream without filename is a field, repeated names are a list', async () => {
    const form = await decode('libmaas.multipart');
    expect(form.files).toEqual([]);
    expect(lastOf(form.values, 'dry_run')).toBe('true');
    expect(lastOf(form.values, 'cpu_count')).toBe('4');
    expect(lastOf(form.values, 'comment')).toBe('');
    expect(allOf(form.values, 'tags')).toEqual(['fast', 'ssd']);
  });

  test('Ansible: only a content disposition, no CRLF after the closing boundary', async () => {
    const form = await decode('ansible.multipart');
    expect(lastOf(form.values, 'hostname')).toBe('node-1');
    expect(lastOf(form.values, 'power_parameters')).toBe('{"power_address": "10.0.0.9"}');
    expect(lastOf(form.values, 'commission')).toBe('True');
  });

  test.each(['empty.multipart', 'libmaas-empty.multipart'])('%s: no parts, no parameters', async (name) => {
    const form = await decode(name);
    expect(form.values.pairs).toEqual([]);
  });

  test('gomaasapi AddFile: raw 8-bit file part without content type', async () => {
    const form = await decode('addfile.multipart');
    expect(lastOf(form.values, 'filename')).toBe('uuid-provider-state');
    expect(form.files.map((file) => [file.field, file.bytes.toString('latin1')])).toEqual([
      ['file', 'state: \xff\r\n'],
    ]);
  });

  test('quoted-printable parts', async () => {
    const form = await decode('quoted-printable.multipart');
    expect(lastOf(form.values, 'comment')).toBe('naïve = ok');
  });

  test('Go: url-encoded with repeated keys', async () => {
    const form = await decode('go.urlencoded');
    expect(allOf(form.values, 'tags')).toEqual(['a', 'b c']);
    expect(lastOf(form.values, 'dry_run')).toBe('true');
    expect(form.urlEncoded).toBe(true);
  });

  test('no content type counts as a form', async () => {
    const form = await decodeBody(undefined, Buffer.from('op=allocate&mem=1024'));
    expect(lastOf(form.values, 'mem')).toBe('1024');
  });

  test('JSON becomes the same values, lists as repeated names', async () => {
    const form = await decodeBody(
      'application/json',
      Buffer.from('{"add": ["a", "b"], "n": 3, "t": true, "z": null, "power_parameters": {"a": "b"}}'),
    );
    expect(form.values.pairs).toEqual([
      ['add', 'a'],
      ['add', 'b'],
      ['n', '3'],
      ['t', 'true'],
      ['z', ''],
      ['power_parameters', '{"a":"b"}'],
    ]);
  });

  test('malformed JSON and a multipart body without its boundary are 400', async () => {
    await expect(decodeBody('application/json', Buffer.from('{'))).rejects.toBeInstanceOf(MaasError);
    await expect(readMultipart('multipart/form-data; boundary=x', Buffer.from('hello'))).rejects.toBeInstanceOf(
      MaasError,
    );
  });

  test('other types carry only the raw bytes', async () => {
    const form = await decodeBody('application/octet-stream', Buffer.from('abc=def'));
    expect(form.values.pairs).toEqual([]);
    expect(form.raw.toString()).toBe('abc=def');
  });
});

test('quoted-printable: soft line breaks vanish, malformed escapes stay', () => {
  expect(decodeQuotedPrintable(Buffer.from('a=\r\nb=3D=zz')).toString()).toBe('ab==zz');
});
