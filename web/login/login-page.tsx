import { Button, Center, Paper, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { command } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { PageTitle } from '../shell/page-title.tsx';
import { Problem } from '../shell/problem.tsx';

export function LoginPage() {
  const { next } = useSearch({ from: '/login' });
  const navigate = useNavigate();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const signIn = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await command('POST', '/login', { username, password });
      queryClient.clear();
      // Only a path of this site: a foreign address in ?next= must not become a redirect.
      const back = next?.startsWith('/') && !next.startsWith('//') ? next : '/machines';
      await navigate({ href: back });
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w={380} maw="100%">
        <form onSubmit={(event) => void signIn(event)}>
          <Stack>
            <PageTitle text="Sign in">Sign in to Ingot</PageTitle>
            {problem ? <Problem error={problem} /> : null}
            <TextInput
              label="User name"
              autoComplete="username"
              required
              value={username}
              onChange={(event) => setUsername(event.currentTarget.value)}
            />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            <Button type="submit" loading={busy}>
              Sign in
            </Button>
            <Text size="xs" c="dimmed">
              No account yet? On the server, run <code>ingot createadmin</code>.
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
