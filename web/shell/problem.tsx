import { Button, Text } from '@mantine/core';
import { Refused } from '../api/client.ts';
import { Notice } from './notice.tsx';

/** What went wrong, why, and what to do, in the server's own words. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem =
    error instanceof Refused
      ? error.problem
      : {
          code: 'web.failed',
          message: error instanceof Error ? error.message : String(error),
          fix: 'Reload the page.',
        };
  return (
    <Notice mood="bad" title={problem.message} interrupt>
      <Text size="sm">{problem.fix}</Text>
      <Text size="xs" mt={4} c="dimmed" ff="monospace">
        {problem.code}
      </Text>
      {retry ? (
        <Button size="xs" mt="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      ) : null}
    </Notice>
  );
}
