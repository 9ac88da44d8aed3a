import { ScrollArea, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { events } from '../api/queries.ts';
import { Problem } from '../shell/problem.tsx';
import { stamp } from '../shell/time.ts';

export function MachineEvents({ systemId }: { systemId: string }) {
  const list = useQuery(events(systemId));
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Text c="dimmed">Loading the events…</Text>;
  if (list.data.length === 0) return <Text>No events yet.</Text>;
  return (
    <ScrollArea className="panel">
      <table className="rows">
        <caption style={{ position: 'absolute', left: -9999 }}>Events, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col" className="wide">
              Level
            </th>
            <th scope="col" className="wide">
              Event
            </th>
            <th scope="col">Details</th>
            <th scope="col" className="wide">
              By
            </th>
          </tr>
        </thead>
        <tbody>
          {list.data.map((one) => (
            <tr key={one.id}>
              <td>{stamp(one.at)}</td>
              <td className="wide">{one.level}</td>
              <td className="wide">{one.type}</td>
              <td style={{ whiteSpace: 'normal' }}>
                <span className="narrow">{one.type} </span>
                {one.description}
              </td>
              <td className="wide">{one.user}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollArea>
  );
}
