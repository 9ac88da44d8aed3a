import type { MachineView } from '@ingot/contract/native.ts';
import { Group, Paper, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useDeferredValue, useMemo, useRef } from 'react';
import { machines } from '../api/queries.ts';
import { phaseTitle } from '../machine/phases.ts';
import { PowerMark, StatusMark } from '../machine/status.tsx';
import { PageTitle } from '../shell/page-title.tsx';
import { Problem } from '../shell/problem.tsx';
import { bytes, memory } from '../shell/units.ts';
import { COLUMNS, type Sort, type SortKey, sorted, sortOf, sortText } from './columns.ts';
import { filtered } from './filtered.ts';

const ROW_HEIGHT = 33;
/** What a narrow screen has room for. */
const ALWAYS: readonly string[] = ['name', 'status', 'power'] satisfies SortKey[];

function Row({ machine }: { machine: MachineView }) {
  const running = machine.attempt && !machine.attempt.endedAt ? machine.attempt.phases.at(-1) : undefined;
  return (
    <tr style={{ height: ROW_HEIGHT }}>
      <td>
        <Link to="/machines/$id" params={{ id: machine.systemId }} className="row-link">
          {machine.hostname}
        </Link>
      </td>
      <td>
        <StatusMark machine={machine} />
        {running ? <span className="aside">{phaseTitle(running.name)}</span> : null}
      </td>
      <td>
        <PowerMark machine={machine} />
      </td>
      <td className="wide">{machine.owner ?? ''}</td>
      <td className="wide">{machine.pool}</td>
      <td className="wide">{machine.zone}</td>
      <td className="wide number">{machine.cpuCount || ''}</td>
      <td className="wide number">{machine.memory ? memory(machine.memory) : ''}</td>
      <td className="wide number">{machine.diskCount ? `${bytes(machine.storage)} in ${machine.diskCount}` : ''}</td>
    </tr>
  );
}

/** Stands in for the rows outside the window, so that the scroll bar tells the truth. */
function SpaceRow({ height }: { height: number }) {
  return (
    <tr style={{ height }}>
      <td colSpan={COLUMNS.length} />
    </tr>
  );
}

function Header({ sort, onSort }: { sort: Sort; onSort: (sort: Sort) => void }) {
  return (
    <thead>
      <tr>
        {COLUMNS.map((column) => {
          const active = sort.key === column.key;
          return (
            <th
              key={column.key}
              scope="col"
              className={`${column.number ? 'number' : ''} ${ALWAYS.includes(column.key) ? '' : 'wide'}`}
              aria-sort={active ? (sort.descending ? 'descending' : 'ascending') : 'none'}
            >
              <button
                type="button"
                className="sort"
                onClick={() => onSort({ key: column.key, descending: active ? !sort.descending : false })}
              >
                {column.title}
                <span aria-hidden="true">{active ? (sort.descending ? ' ↓' : ' ↑') : ''}</span>
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function Nothing() {
  return (
    <Paper withBorder p="xl">
      <Text fw={600}>No machines yet</Text>
      <Text mt="xs">
        Switch on a server that boots from the network on a served subnet, and it appears here by itself. Serve one with{' '}
        <code>ingot network serve 10.0.0.0/24</code>.
      </Text>
    </Paper>
  );
}

export function MachinesPage() {
  const search = useSearch({ from: '/shell/machines' });
  const navigate = useNavigate({ from: '/machines' });
  const list = useQuery(machines);
  const question = useDeferredValue(search.q ?? '');
  const sort = sortOf(search.sort);
  const answer = useMemo(() => filtered(list.data ?? [], question), [list.data, question]);
  const rows = useMemo(() => sorted(answer.machines, sortOf(search.sort)), [answer.machines, search.sort]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 20,
  });
  const shown = virtual.getVirtualItems();
  const above = shown[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (shown.at(-1)?.end ?? 0);

  return (
    <Stack gap="sm">
      <Group justify="space-between" align="baseline">
        <PageTitle text="Machines" />
        <Text size="sm" c="dimmed" role="status">
          {list.data ? `${rows.length} of ${list.data.length} machines` : 'Loading…'}
        </Text>
      </Group>
      <TextInput
        label="Filter"
        inputWrapperOrder={['label', 'input', 'error', 'description']}
        description="Words, or status:ready, owner:ann, pool:default, zone:default, tag:gpu, power:on, cpu:>=8, mem:>=16384"
        value={search.q ?? ''}
        error={answer.problem}
        onChange={(event) => {
          const q = event.currentTarget.value || undefined;
          void navigate({ search: (now) => ({ ...now, q }), replace: true });
        }}
      />
      {list.error ? <Problem error={list.error} retry={() => void list.refetch()} /> : null}
      {list.data?.length === 0 ? <Nothing /> : null}
      {list.data && list.data.length > 0 ? (
        <section
          ref={scroller}
          className="panel"
          style={{ overflow: 'auto', maxHeight: 'calc(100dvh - 196px)' }}
          aria-label="Machine list"
        >
          <table className="rows" aria-rowcount={rows.length + 1}>
            <caption style={{ position: 'absolute', left: -9999 }}>Machines</caption>
            <Header
              sort={sort}
              onSort={(next) => void navigate({ search: (now) => ({ ...now, sort: sortText(next) }), replace: true })}
            />
            <tbody>
              {above > 0 ? <SpaceRow height={above} /> : null}
              {shown.map((item) => {
                const machine = rows[item.index];
                return machine ? <Row key={machine.systemId} machine={machine} /> : null;
              })}
              {below > 0 ? <SpaceRow height={below} /> : null}
            </tbody>
          </table>
          {rows.length === 0 ? <Text p="md">No machine matches this filter.</Text> : null}
        </section>
      ) : null}
    </Stack>
  );
}
