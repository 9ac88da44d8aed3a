import { describe, expect, it } from 'vitest';
import { readStatus, type StatusMessage, statusMeaning } from './status-event.ts';

const message = (over: Partial<StatusMessage>): StatusMessage => ({
  event_type: 'finish',
  origin: 'cloudinit',
  name: 'modules-final',
  description: 'running modules for final',
  result: 'SUCCESS',
  ...over,
});

describe('status webhook', () => {
  it.each([
    [message({}), { kind: 'finished', ok: true }],
    [message({ result: 'WARN' }), { kind: 'finished', ok: true }],
    [message({ result: 'FAIL' }), { kind: 'finished', ok: false }],
    [message({ name: 'init-network', result: 'FAIL' }), { kind: 'finished', ok: false }],
    [message({ name: 'init-network' }), { kind: 'note' }],
    [message({ name: 'modules-final/config-scripts-user', result: 'FAIL' }), { kind: 'failure' }],
    [message({ event_type: 'start' }), { kind: 'note' }],
  ])('%j', (given, meaning) => {
    expect(statusMeaning(given)).toEqual(meaning);
  });

  it('names what is missing', () => {
    expect(readStatus(Buffer.from('{"name":"a","origin":"b"}'))).toEqual({
      ok: false,
      text: 'Missing parameter(s) event_type, description in status message.',
    });
  });

  it.each(['', 'null', '[', '{"name":"é"}'])('refuses %s', (text) => {
    expect(readStatus(Buffer.from(text)).ok).toBe(false);
  });

  it('reads what cloud-init sends', () => {
    const body =
      '{"name":"init-local","description":"searching","event_type":"start","origin":"cloudinit","timestamp":1.5}';
    expect(readStatus(Buffer.from(body))).toMatchObject({ ok: true, message: { name: 'init-local' } });
  });
});
