import { Action, type ActionRequest, MachineView } from '@ingot/contract/native.ts';
import { Button, Checkbox, Drawer, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { post } from '../api/client.ts';
import { explain, images, machine, queryClient } from '../api/queries.ts';
import { Notice } from '../shell/notice.tsx';
import { Problem } from '../shell/problem.tsx';
import { bytes } from '../shell/units.ts';
import { ACTION_WORDS } from './actions.tsx';
import { DeployPlan } from './deploy-plan.tsx';

type Change = (part: Partial<ActionRequest>) => void;

function DeployFields({
  systemId,
  request,
  said,
  change,
}: {
  systemId: string;
  request: ActionRequest;
  said: readonly string[];
  change: Change;
}) {
  const list = useQuery(images);
  const choices = (list.data ?? []).filter((one) => one.purpose === 'deploy');
  const names = [...new Map(choices.map((one) => [one.name, one])).values()];
  const image = request.image ?? names[0]?.name ?? null;
  return (
    <>
      {list.error ? <Problem error={list.error} retry={() => void list.refetch()} /> : null}
      <Select
        label="Image"
        description={
          names.length === 0 && list.data ? 'There is none yet: run “ingot images build” on the server.' : null
        }
        required
        data={names.map((one) => ({ value: one.name, label: `${one.title || one.name} (${bytes(one.size)})` }))}
        value={image}
        onChange={(value) => change({ image: value ?? undefined })}
        allowDeselect={false}
      />
      <Textarea
        label="User-data"
        description="Given to cloud-init in the deployed system: a script, or #cloud-config. At most 1 MiB."
        rows={8}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
        value={request.userData ?? ''}
        onChange={(event) => change({ userData: event.currentTarget.value || undefined })}
      />
      {image === null ? null : <DeployPlan systemId={systemId} image={image} said={said} />}
    </>
  );
}

function ReleaseFields({ systemId, request, change }: { systemId: string; request: ActionRequest; change: Change }) {
  const detail = useQuery(machine(systemId));
  const disks = detail.data?.disks ?? [];
  const size = disks.reduce((sum, disk) => sum + disk.size, 0);
  return (
    <>
      <Checkbox
        label="Erase the disks"
        description={`Overwrites ${disks.length === 1 ? 'the disk' : `all ${disks.length} disks`} (${bytes(size)}) with zeroes. What was on them cannot be brought back.`}
        checked={request.erase ?? false}
        onChange={(event) => change({ erase: event.currentTarget.checked })}
      />
      <Checkbox
        label="Use the disk’s own secure erase where it has one"
        disabled={!request.erase}
        description={request.erase ? null : 'Available when the disks are erased.'}
        checked={request.secureErase ?? false}
        onChange={(event) => change({ secureErase: event.currentTarget.checked })}
      />
      <Checkbox
        label="Quick erase: only the beginning and end of each disk"
        disabled={!request.erase}
        description={request.erase ? null : 'Available when the disks are erased.'}
        checked={request.quickErase ?? false}
        onChange={(event) => change({ quickErase: event.currentTarget.checked })}
      />
    </>
  );
}

function Fields({
  action,
  systemId,
  request,
  said,
  change,
}: {
  action: Action;
  systemId: string;
  request: ActionRequest;
  /** Codes of what is shown above the fields already. */
  said: readonly string[];
  change: Change;
}) {
  switch (action) {
    case 'deploy':
      return <DeployFields systemId={systemId} request={request} said={said} change={change} />;
    case 'release':
      return <ReleaseFields systemId={systemId} request={request} change={change} />;
    case 'commission':
      return (
        <>
          <Checkbox
            label="Stay on afterwards and let me in by SSH"
            checked={request.enableSsh ?? false}
            onChange={(event) => change({ enableSsh: event.currentTarget.checked })}
          />
          <Checkbox
            label="Keep the network configuration"
            checked={request.skipNetworking ?? false}
            onChange={(event) => change({ skipNetworking: event.currentTarget.checked })}
          />
          <Checkbox
            label="Keep the storage layout"
            checked={request.skipStorage ?? false}
            onChange={(event) => change({ skipStorage: event.currentTarget.checked })}
          />
          <Checkbox
            label="Leave the BMC’s accounts alone"
            checked={request.skipBmcConfig ?? false}
            onChange={(event) => change({ skipBmcConfig: event.currentTarget.checked })}
          />
        </>
      );
    case 'power-off':
      return (
        <Checkbox
          label="Ask the system to shut down first"
          checked={request.soft ?? false}
          onChange={(event) => change({ soft: event.currentTarget.checked })}
        />
      );
    default:
      return null;
  }
}

/** The form of one action, over the machine's page. */
export function ActionPanel() {
  const { id, action: asked } = useParams({ from: '/shell/machines/$id/do/$action' });
  const navigate = useNavigate();
  const [request, setRequest] = useState<ActionRequest>({});
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const known = Action.safeParse(asked);
  const answers = useQuery(explain(id));
  const detail = useQuery(machine(id));
  const list = useQuery(images);
  const close = () => void navigate({ to: '/machines/$id', params: { id }, search: (now) => now });

  if (!known.success) {
    return (
      <Drawer
        opened
        onClose={close}
        position="right"
        title="No such action"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Text>There is no action called {asked}.</Text>
      </Drawer>
    );
  }
  const action = known.data;
  const answer = answers.data?.find((one) => one.action === action);
  const blocked = answer !== undefined && !answer.allowed;
  const words = ACTION_WORDS[action];

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const first = list.data?.find((one) => one.purpose === 'deploy')?.name;
      const body: ActionRequest = action === 'deploy' ? { ...request, image: request.image ?? first } : request;
      await post(`/machines/${encodeURIComponent(id)}/actions/${action}`, body, MachineView);
      await queryClient.invalidateQueries({ queryKey: explain(id).queryKey });
      if (action === 'delete') await navigate({ to: '/machines' });
      else close();
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
      size={460}
      title={`${words} ${detail.data?.hostname ?? id}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form onSubmit={(event) => void submit(event)}>
        <Stack>
          {problem ? <Problem error={problem} /> : null}
          {blocked ? (
            <Notice mood="warn" title="Not possible now">
              {answer.reasons.map((reason) => (
                <Text size="sm" key={reason.code} mt={4}>
                  {reason.message} <span className="fix">{reason.fix}</span>
                </Text>
              ))}
            </Notice>
          ) : null}
          {answer?.warnings.map((warning) => (
            <Notice mood="warn" key={warning.code} title={warning.message}>
              <Text size="sm">{warning.fix}</Text>
            </Notice>
          ))}
          <Fields
            action={action}
            systemId={id}
            request={request}
            said={[...(answer?.reasons ?? []), ...(answer?.warnings ?? [])].map(({ code }) => code)}
            change={(part) => setRequest((now) => ({ ...now, ...part }))}
          />
          {action === 'delete' ? <Text size="sm">The machine leaves Ingot; its events are kept.</Text> : null}
          <TextInput
            label="Comment"
            description="Kept in the machine’s events"
            value={request.comment ?? ''}
            onChange={(event) => setRequest((now) => ({ ...now, comment: event.target.value || undefined }))}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={busy} disabled={blocked} {...(action === 'delete' ? { color: 'red' } : {})}>
              {words}
            </Button>
          </Group>
        </Stack>
      </form>
    </Drawer>
  );
}
