import type { Action, Explain } from '@ingot/contract/native.ts';
import { Button, Menu, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { explain } from '../api/queries.ts';
import { Problem } from '../shell/problem.tsx';

export const ACTION_WORDS: Record<Action, string> = {
  accept: 'Accept',
  commission: 'Commission',
  test: 'Test',
  abort: 'Abort',
  allocate: 'Allocate',
  deploy: 'Deploy',
  release: 'Release',
  rescue: 'Enter rescue mode',
  'exit-rescue': 'Leave rescue mode',
  'mark-broken': 'Mark broken',
  'mark-fixed': 'Mark fixed',
  'override-failed-testing': 'Override failed testing',
  lock: 'Lock',
  unlock: 'Unlock',
  'power-on': 'Power on',
  'power-off': 'Power off',
  delete: 'Delete',
};

const GROUPS: { label: string; actions: Action[] }[] = [
  { label: 'Lifecycle', actions: ['commission', 'test', 'allocate', 'deploy', 'release', 'abort'] },
  { label: 'Power', actions: ['power-on', 'power-off'] },
  { label: 'Repair', actions: ['rescue', 'exit-rescue', 'mark-broken', 'mark-fixed', 'override-failed-testing'] },
  { label: 'Protect and remove', actions: ['lock', 'unlock', 'delete'] },
];

function Item({ action, answer, onChoose }: { action: Action; answer: Explain | undefined; onChoose: () => void }) {
  const reason = answer?.reasons[0];
  const allowed = answer?.allowed ?? false;
  return (
    // Unavailable items stay reachable: a reader must be able to come to the reason.
    <Menu.Item
      renderRoot={(props) => <button {...props} aria-disabled={!allowed} />}
      closeMenuOnClick={allowed}
      onClick={allowed ? onChoose : undefined}
      style={allowed ? undefined : { cursor: 'not-allowed' }}
    >
      <Text size="sm" {...(allowed ? {} : { c: 'dimmed' })}>
        {ACTION_WORDS[action]}
      </Text>
      {allowed ? null : (
        <Text size="xs" c="dimmed" style={{ whiteSpace: 'normal' }}>
          {reason ? (
            <>
              {reason.message} <span className="fix">{reason.fix}</span>
            </>
          ) : (
            'Checking…'
          )}
        </Text>
      )}
    </Menu.Item>
  );
}

export function Actions({ systemId }: { systemId: string }) {
  const answers = useQuery(explain(systemId));
  const navigate = useNavigate();
  if (answers.error) return <Problem error={answers.error} retry={() => void answers.refetch()} />;
  return (
    <Menu position="bottom-end" withinPortal width={380} keepMounted={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <Button>Take action</Button>
      </Menu.Target>
      <Menu.Dropdown mah="70vh" style={{ overflowY: 'auto' }}>
        {GROUPS.map((group) => (
          // biome-ignore lint/a11y/useSemanticElements: a menu may hold groups, not field sets
          <div key={group.label} role="group" aria-label={group.label}>
            <Menu.Label aria-hidden="true">{group.label}</Menu.Label>
            {group.actions.map((action) => (
              <Item
                key={action}
                action={action}
                answer={answers.data?.find((one) => one.action === action)}
                onChoose={() => void navigate({ to: '/machines/$id/do/$action', params: { id: systemId, action } })}
              />
            ))}
          </div>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
