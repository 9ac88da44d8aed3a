import { SshKeyView } from '@ingot/contract/native.ts';
import { Button, Group, Paper, Stack, Text, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { command, post } from '../api/client.ts';
import { queryClient, sshKeys } from '../api/queries.ts';
import { PageTitle } from '../shell/page-title.tsx';
import { Problem } from '../shell/problem.tsx';

export function KeysPage() {
  const keys = useQuery(sshKeys);
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const change = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      await queryClient.invalidateQueries({ queryKey: sshKeys.queryKey });
      // A missing key is a warning on every deploy.
      await queryClient.invalidateQueries({ queryKey: ['explain'] });
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  const add = (event: FormEvent) => {
    event.preventDefault();
    void change(async () => {
      await post('/ssh-keys', { key: text.trim() }, SshKeyView);
      setText('');
    });
  };

  return (
    <Stack maw={860}>
      <PageTitle text="SSH keys" />
      <Text size="sm" c="dimmed">
        Machines that you deploy let you in with these keys.
      </Text>
      {problem ? <Problem error={problem} /> : null}
      {keys.error ? <Problem error={keys.error} retry={() => void keys.refetch()} /> : null}
      {keys.data?.length === 0 ? <Text>You have no key yet. Paste the public half of one below.</Text> : null}
      {keys.data?.map((key) => (
        <Paper withBorder p="sm" key={key.id}>
          <Group justify="space-between" wrap="nowrap">
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={600} truncate>
                {key.comment || 'No comment'}
              </Text>
              <Text size="xs" c="dimmed" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                {key.fingerprint}
              </Text>
            </div>
            <Button
              variant="default"
              size="xs"
              disabled={busy}
              aria-label={`Remove the key ${key.comment || key.fingerprint}`}
              onClick={() => void change(() => command('DELETE', `/ssh-keys/${key.id}`))}
            >
              Remove
            </Button>
          </Group>
        </Paper>
      ))}
      <form onSubmit={add}>
        <Stack align="flex-start">
          <Textarea
            label="Public key"
            description="One line, as in ~/.ssh/id_ed25519.pub"
            w="100%"
            rows={3}
            required
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Button type="submit" loading={busy}>
            Add key
          </Button>
        </Stack>
      </form>
    </Stack>
  );
}
