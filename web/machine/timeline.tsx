import type { AttemptView, EvidenceView, PhaseView } from '@ingot/contract/native.ts';
import { Accordion, Group, Progress, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { attempts, evidence } from '../api/queries.ts';
import { Mark, Sign } from '../shell/mark.tsx';
import { Problem } from '../shell/problem.tsx';
import { clock, duration, stamp, useNow } from '../shell/time.ts';
import { bytes } from '../shell/units.ts';
import { Failure } from './failure.tsx';
import {
  attemptSeconds,
  attemptTitle,
  evidenceByPhase,
  isSlow,
  isWhereItFailed,
  phaseSeconds,
  phaseTitle,
} from './phases.ts';

const OUTCOMES = {
  passed: { mood: 'good', word: 'Passed' },
  failed: { mood: 'bad', word: 'Failed' },
  aborted: { mood: 'idle', word: 'Aborted' },
} as const;

function Outcome({ attempt }: { attempt: AttemptView }) {
  const { mood, word } = attempt.outcome ? OUTCOMES[attempt.outcome] : { mood: 'work' as const, word: 'Running' };
  return <Mark mood={mood}>{word}</Mark>;
}

interface PhaseRowProps {
  phase: PhaseView;
  /** The attempt failed in it. */
  failed: boolean;
  seen: EvidenceView[];
  now: number;
}

function PhaseRow({ phase, failed, seen, now }: PhaseRowProps) {
  const last = seen.at(-1);
  const slow = isSlow(phase, now);
  return (
    <Accordion.Item value={`${phase.name}@${phase.startedAt}`}>
      <Accordion.Control>
        <Group justify="space-between" wrap="nowrap" pr="sm">
          <Group gap={8} wrap="nowrap">
            <Sign mood={phase.endedAt ? (failed ? 'bad' : 'good') : 'work'} />
            <Text size="sm" component="span">
              {phaseTitle(phase.name)}
            </Text>
          </Group>
          <Text size="sm" {...(slow ? { c: 'var(--ingot-warn)', fw: 600 } : { c: 'dimmed' })}>
            {duration(phaseSeconds(phase, now))}
            {phase.typicalSeconds === null ? '' : ` · usually ${duration(phase.typicalSeconds)}`}
          </Text>
        </Group>
        {phase.bytesTotal && !phase.endedAt ? (
          <Group gap="xs" wrap="nowrap">
            <Progress
              flex={1}
              value={(100 * (phase.bytesDone ?? 0)) / phase.bytesTotal}
              aria-label={`${phaseTitle(phase.name)} progress`}
            />
            <Text size="xs">
              {bytes(phase.bytesDone ?? 0)} of {bytes(phase.bytesTotal)}
            </Text>
          </Group>
        ) : null}
        {slow ? (
          <Text size="xs" c="var(--ingot-warn)">
            Slower than usual. Last sign of life: {last ? `${last.text} at ${clock(last.at)}` : 'none in this phase'}.
          </Text>
        ) : null}
        {!phase.endedAt && phase.deadline ? (
          <Text size="xs" c="dimmed">
            Given until {clock(phase.deadline)}, then{' '}
            {phase.name === 'first-boot' ? 'a warning is recorded' : 'it fails with the reason'}.
          </Text>
        ) : null}
      </Accordion.Control>
      <Accordion.Panel>
        {seen.length === 0 ? (
          <Text size="sm" c="dimmed">
            No evidence in this phase.
          </Text>
        ) : (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard (WCAG 2.1.1)
          <section className="log" tabIndex={0} aria-label={`Evidence of ${phaseTitle(phase.name)}`}>
            {seen.map((one) => (
              <div key={one.id}>
                {stamp(one.at)} {one.kind} {one.text}
              </div>
            ))}
          </section>
        )}
      </Accordion.Panel>
    </Accordion.Item>
  );
}

function AttemptTimeline({ attempt }: { attempt: AttemptView }) {
  const now = useNow(attempt.endedAt === null);
  const seen = useQuery(evidence(attempt.systemId, attempt.id));
  const total = attemptSeconds(attempt, now);
  const evidenceOf = useMemo(() => evidenceByPhase(attempt.phases, seen.data ?? []), [attempt.phases, seen.data]);
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Group gap="sm">
          <Title order={2} size="h4">
            {attemptTitle(attempt)}
          </Title>
          <Outcome attempt={attempt} />
        </Group>
        <Text size="sm" c="dimmed">
          started {stamp(attempt.startedAt)} · {duration(total)}
        </Text>
      </Group>
      {attempt.failure ? <Failure failure={attempt.failure} /> : null}
      <div className="bar" aria-hidden="true">
        {attempt.phases.map((phase, index) => (
          <div
            key={`${phase.name}@${phase.startedAt}`}
            title={phaseTitle(phase.name)}
            style={{
              flexGrow: Math.max(phaseSeconds(phase, now), 0.2),
              background: phase.endedAt ? `var(--mantine-color-ember-${index % 2 ? 4 : 6})` : 'var(--ingot-work)',
            }}
          />
        ))}
      </div>
      {seen.error ? <Problem error={seen.error} retry={() => void seen.refetch()} /> : null}
      <Accordion multiple chevronPosition="left" variant="contained">
        {attempt.phases.map((phase, index) => {
          const failed = isWhereItFailed(attempt, index);
          const mine = evidenceOf[index] ?? [];
          return (
            <PhaseRow key={`${phase.name}@${phase.startedAt}`} phase={phase} failed={failed} seen={mine} now={now} />
          );
        })}
      </Accordion>
    </Stack>
  );
}

export function Timeline({ systemId }: { systemId: string }) {
  const list = useQuery(attempts(systemId));
  const [chosen, choose] = useState<number | null>(null);
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Text c="dimmed">Loading the timeline…</Text>;
  const shown = list.data.find((one) => one.id === chosen) ?? list.data[0];
  if (!shown) return <Text>Nothing has been done to this machine yet.</Text>;
  return (
    <Stack>
      <AttemptTimeline key={shown.id} attempt={shown} />
      {list.data.length > 1 ? (
        <Stack gap={4}>
          <Title order={2} size="h5">
            Earlier and other attempts
          </Title>
          <ul style={{ margin: 0, paddingLeft: 20 }}>
            {list.data.map((one) => (
              <li key={one.id}>
                <button
                  type="button"
                  className="sort link"
                  aria-current={one.id === shown.id ? 'true' : undefined}
                  onClick={() => choose(one.id)}
                >
                  {attemptTitle(one)}, {stamp(one.startedAt)}, {one.outcome ?? 'running'},{' '}
                  {duration(attemptSeconds(one, Date.now()))}
                </button>
              </li>
            ))}
          </ul>
        </Stack>
      ) : null}
    </Stack>
  );
}
