import type { AttemptView, EvidenceView, PhaseView } from '@ingot/contract/native.ts';
import { Accordion, Alert, Badge, Group, Progress, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { attempts, evidence } from '../api/queries.ts';
import { Problem } from '../shell/problem.tsx';
import { clock, duration, stamp, useNow } from '../shell/time.ts';
import { bytes } from '../shell/units.ts';
import { attemptSeconds, attemptTitle, isSlow, phaseSeconds, phaseTitle } from './phases.ts';

const OUTCOMES = {
  passed: { colour: 'green', word: 'Passed' },
  failed: { colour: 'red', word: 'Failed' },
  aborted: { colour: 'gray', word: 'Aborted' },
} as const;

function Outcome({ attempt }: { attempt: AttemptView }) {
  if (!attempt.outcome) {
    return (
      <Badge color="blue" variant="light">
        Running
      </Badge>
    );
  }
  const { colour, word } = OUTCOMES[attempt.outcome];
  return (
    <Badge color={colour} variant="light">
      {word}
    </Badge>
  );
}

function PhaseRow({ phase, seen, now }: { phase: PhaseView; seen: EvidenceView[]; now: number }) {
  const last = seen.at(-1);
  const slow = isSlow(phase, now);
  return (
    <Accordion.Item value={`${phase.name}@${phase.startedAt}`}>
      <Accordion.Control>
        <Group justify="space-between" wrap="nowrap" pr="sm">
          <Text size="sm">
            {phase.endedAt ? '✓ ' : '◐ '}
            {phaseTitle(phase.name)}
          </Text>
          <Text size="sm" {...(slow ? { c: 'var(--mantine-color-orange-text)', fw: 600 } : {})}>
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
          <Text size="xs" c="var(--mantine-color-orange-text)">
            Slower than usual. Last sign of life: {last ? `${last.text} at ${clock(last.at)}` : 'none in this phase'}.
          </Text>
        ) : null}
        {!phase.endedAt && phase.deadline ? (
          <Text size="xs" c="dimmed">
            Given until {clock(phase.deadline)}, then it fails with the reason.
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
      {attempt.failure ? (
        <Alert color="red" title={attempt.failure.message} variant="light">
          {attempt.failure.evidence ? <Text size="sm">Last seen: {attempt.failure.evidence}</Text> : null}
          <Text size="sm">{attempt.failure.fix}</Text>
          <Text size="xs" c="dimmed" mt={4}>
            {attempt.failure.code}
          </Text>
        </Alert>
      ) : null}
      <div className="bar" aria-hidden="true">
        {attempt.phases.map((phase, index) => (
          <div
            key={`${phase.name}@${phase.startedAt}`}
            title={phaseTitle(phase.name)}
            style={{
              flexGrow: Math.max(phaseSeconds(phase, now), 0.2),
              background: `var(--mantine-color-${phase.endedAt ? 'orange' : 'blue'}-${index % 2 ? 5 : 7})`,
            }}
          />
        ))}
      </div>
      {seen.error ? <Problem error={seen.error} retry={() => void seen.refetch()} /> : null}
      <Accordion multiple chevronPosition="left" variant="contained">
        {attempt.phases.map((phase, index) => {
          const until = attempt.phases[index + 1]?.startedAt;
          const mine = (seen.data ?? []).filter(
            (one) => one.at >= phase.startedAt && (until === undefined || one.at < until),
          );
          return <PhaseRow key={`${phase.name}@${phase.startedAt}`} phase={phase} seen={mine} now={now} />;
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
                  className="sort"
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
