import { DhcpModeName, ServeReply, type ServeRequest, type SubnetView } from '@ingot/contract/native.ts';
import { Button, Drawer, Group, Radio, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { fieldProblem, post, Refused } from '../api/client.ts';
import { queryClient, subnets } from '../api/queries.ts';
import { Problem } from '../shell/problem.tsx';

const MODES: { mode: DhcpModeName; label: string; means: string }[] = [
  { mode: 'on', label: 'On', means: 'Ingot gives the addresses. No other DHCP server may answer here.' },
  { mode: 'proxy', label: 'Proxy', means: 'Your DHCP server gives the addresses; Ingot only says what to boot.' },
  { mode: 'relay', label: 'Relay', means: 'A relay agent hands requests to Ingot’s rack in another network.' },
  { mode: 'off', label: 'Off', means: 'Machines here are not booted by Ingot.' },
];

const FIELDS = ['start', 'end', 'via', 'mode'];

/** Who gives addresses in one network, as a form over the page. */
export function DhcpPanel() {
  const { subnet } = useParams({ from: '/shell/networks/$subnet/dhcp' });
  const navigate = useNavigate();
  const list = useQuery(subnets);
  const close = () => void navigate({ to: '/networks' });
  const one = list.data?.find(({ id }) => String(id) === subnet);
  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size="lg"
      title={one ? `DHCP of ${one.cidr}` : 'DHCP'}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {list.error ? <Problem error={list.error} retry={() => void list.refetch()} /> : null}
      {list.data && !one ? <Text>There is no such network.</Text> : null}
      {one ? <Form key={one.id} subnet={one} others={list.data ?? []} close={close} /> : null}
    </Drawer>
  );
}

function Form({ subnet, others, close }: { subnet: SubnetView; others: readonly SubnetView[]; close: () => void }) {
  const range = subnet.ranges.find(({ kind }) => kind === 'dynamic-range');
  const [mode, setMode] = useState(subnet.mode);
  const [start, setStart] = useState(range?.start ?? '');
  const [end, setEnd] = useState(range?.end ?? '');
  const [via, setVia] = useState(subnet.relay);
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const gives = mode === 'on' || mode === 'relay';
  const served = others.filter((other) => other.mode === 'on' && other.id !== subnet.id).map(({ cidr }) => cidr);
  const elsewhere = problem instanceof Refused && FIELDS.includes(problem.problem.field ?? '') ? null : problem;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const body: ServeRequest = {
      cidr: subnet.cidr,
      mode,
      ...(gives && (start !== '' || end !== '') ? { start, end } : {}),
      ...(mode === 'relay' && via !== null ? { via } : {}),
    };
    try {
      await post('/network/serve', body, ServeReply);
      await queryClient.invalidateQueries({ queryKey: subnets.queryKey });
      close();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <form onSubmit={submit}>
      <Stack>
        {elsewhere ? <Problem error={elsewhere} /> : null}
        <Radio.Group
          label="Mode"
          value={mode}
          error={fieldProblem(problem, 'mode')}
          onChange={(value) => setMode(DhcpModeName.parse(value))}
        >
          <Stack gap="xs" mt={4}>
            {MODES.map(({ mode: value, label, means }) => (
              <Radio key={value} value={value} label={label} description={means} />
            ))}
          </Stack>
        </Radio.Group>
        {mode === 'relay' ? (
          <Select
            label="Network whose rack answers"
            description={served.length === 0 ? 'There is none yet: switch DHCP on in another network first.' : null}
            data={served}
            value={via}
            error={fieldProblem(problem, 'via')}
            onChange={setVia}
          />
        ) : null}
        {gives ? (
          <>
            <TextInput
              label="First dynamic address"
              description="Both empty: Ingot chooses a free run."
              value={start}
              error={fieldProblem(problem, 'start')}
              onChange={(event) => setStart(event.currentTarget.value)}
            />
            <TextInput
              label="Last dynamic address"
              value={end}
              error={fieldProblem(problem, 'end')}
              onChange={(event) => setEnd(event.currentTarget.value)}
            />
          </>
        ) : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={busy}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
