import type { AttemptView } from '@ingot/contract/native.ts';
import { Text } from '@mantine/core';
import { Notice } from '../shell/notice.tsx';

/** Why an attempt failed: what happened, what was seen last, what to do, and the code to look up. */
export function Failure({ failure }: { failure: NonNullable<AttemptView['failure']> }) {
  return (
    <Notice mood="bad" title={failure.message}>
      {failure.evidence ? (
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          Last seen: {failure.evidence}
        </Text>
      ) : null}
      <Text size="sm">{failure.fix}</Text>
      <Text size="xs" c="dimmed" mt={4} ff="monospace">
        {failure.code}
      </Text>
    </Notice>
  );
}
