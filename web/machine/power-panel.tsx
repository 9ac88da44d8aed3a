import { MachineView } from '@ingot/contract/native.ts';
import { Button, Drawer, Group, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { fieldProblem, patch, Refused } from '../api/client.ts';
import { machine, powerSettings, powerTypes, queryClient } from '../api/queries.ts';
import { Problem } from '../shell/problem.tsx';
import { PowerField } from './power-fields.tsx';

/** How the machine's power is switched, as a form over its page. The region's schema says what is asked for. */
export function PowerPanel() {
  const { id } = useParams({ from: '/shell/machines/$id/power' });
  const navigate = useNavigate();
  const types = useQuery(powerTypes);
  const settings = useQuery(powerSettings(id));
  const [chosen, setChosen] = useState<string | null>(null);
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const close = () => void navigate({ to: '/machines/$id', params: { id }, search: (now) => now });

  const before = settings.data;
  const name = chosen ?? before?.powerType ?? '';
  const type = types.data?.find((one) => one.name === name);
  const stored = before?.powerType === name;
  const shownValue = (field: string) => typed[field] ?? (stored ? before?.parameters[field] : undefined) ?? '';
  // What is about a field stands beside it.
  const beside = ['powerType', ...(type?.fields ?? []).map((field) => `powerParameters.${field.name}`)];
  const elsewhere = problem instanceof Refused && beside.includes(problem.problem.field ?? '') ? null : problem;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      // Only what was changed is sent: a secret that was not typed is not known here, and stays.
      await patch(`/machines/${encodeURIComponent(id)}`, { powerType: name, powerParameters: typed }, MachineView);
      await queryClient.invalidateQueries({ queryKey: machine(id).queryKey });
      await queryClient.invalidateQueries({ queryKey: ['explain', id] });
      close();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size="lg"
      title="Power settings"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form onSubmit={submit} noValidate>
        <Stack>
          {types.error ? <Problem error={types.error} retry={() => void types.refetch()} /> : null}
          {settings.error ? <Problem error={settings.error} retry={() => void settings.refetch()} /> : null}
          {elsewhere ? <Problem error={elsewhere} /> : null}
          <Select
            label="Power type"
            data={(types.data ?? []).map((one) => ({ value: one.name, label: one.description }))}
            value={name || null}
            placeholder="None yet"
            allowDeselect={false}
            error={fieldProblem(problem, 'powerType')}
            onChange={(value) => {
              setChosen(value);
              setTyped({});
              setProblem(null);
            }}
          />
          {type && !type.queryable ? (
            <Text size="sm" c="dimmed">
              Its state is never known to Ingot with this type.
            </Text>
          ) : null}
          {type?.fields.map((field) => (
            <PowerField
              key={`${type.name} ${field.name}`}
              field={field}
              value={shownValue(field.name)}
              stored={stored}
              refused={problem}
              change={(value) => setTyped((now) => ({ ...now, [field.name]: value }))}
            />
          ))}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={busy} disabled={!type}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Drawer>
  );
}
