import type { ScriptResultView } from '@ingot/contract/native.ts';
import { Group, ScrollArea, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Fragment, useState } from 'react';
import { resultOutput, results } from '../api/queries.ts';
import { Mark, type Mood } from '../shell/mark.tsx';
import { Problem } from '../shell/problem.tsx';
import { duration } from '../shell/time.ts';
import { bytes } from '../shell/units.ts';

const MOODS: Partial<Record<string, Mood>> = { passed: 'good', running: 'work', pending: 'idle', skipped: 'idle' };

function Output({ systemId, result }: { systemId: string; result: ScriptResultView }) {
  const output = useQuery(resultOutput(systemId, result.id));
  if (output.error) return <Problem error={output.error} retry={() => void output.refetch()} />;
  if (output.data === undefined) return <Text size="sm">Loading…</Text>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard (WCAG 2.1.1)
    <section className="log" tabIndex={0} aria-label={`Output of ${result.name}`}>
      {output.data === '' ? 'It printed nothing.' : output.data}
    </section>
  );
}

export function Results({ systemId }: { systemId: string }) {
  const list = useQuery(results(systemId));
  const [open, setOpen] = useState<number | null>(null);
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Text c="dimmed">Loading the results…</Text>;
  if (list.data.length === 0) return <Text>No script has run on this machine yet. Commission it to see results.</Text>;
  return (
    <Stack>
      <ScrollArea className="panel">
        <table className="rows">
          <caption style={{ position: 'absolute', left: -9999 }}>Script results</caption>
          <thead>
            <tr>
              <th scope="col">Script</th>
              <th scope="col">Run as</th>
              <th scope="col">Result</th>
              <th scope="col" className="number">
                Time
              </th>
              <th scope="col" className="number">
                Output
              </th>
            </tr>
          </thead>
          <tbody>
            {list.data.map((one) => (
              <Fragment key={one.id}>
                <tr>
                  <td>{one.name}</td>
                  <td>{one.set}</td>
                  <td>
                    <Group gap={6}>
                      <Mark mood={MOODS[one.status.toLowerCase()] ?? 'bad'}>{one.status}</Mark>
                      {one.exitStatus ? <Text size="xs">exit {one.exitStatus}</Text> : null}
                    </Group>
                  </td>
                  <td className="number">{one.seconds === null ? '' : duration(one.seconds)}</td>
                  <td className="number">
                    <button
                      type="button"
                      className="sort link"
                      aria-expanded={open === one.id}
                      aria-label={`Output of ${one.name}, ${bytes(one.size)}`}
                      onClick={() => setOpen(open === one.id ? null : one.id)}
                    >
                      {bytes(one.size)}
                    </button>
                  </td>
                </tr>
                {open === one.id ? (
                  <tr className="opened">
                    <td colSpan={5}>
                      <Output systemId={systemId} result={one} />
                    </td>
                  </tr>
                ) : null}
              </Fragment>
            ))}
          </tbody>
        </table>
      </ScrollArea>
    </Stack>
  );
}
