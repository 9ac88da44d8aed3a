import { List, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { deployPlan } from '../api/queries.ts';
import { Notice } from '../shell/notice.tsx';

/** What deploying this image would do and what of the image or the disk speaks against it; `said` is shown elsewhere. */
export function DeployPlan({ systemId, image, said }: { systemId: string; image: string; said: readonly string[] }) {
  const plan = useQuery(deployPlan(systemId, image));
  if (plan.data === undefined) return null;
  const findings = plan.data.findings.filter(({ code }) => !said.includes(code));
  return (
    <>
      {findings.map(({ code, severity, message, fix }) => (
        <Notice mood="warn" key={code} title={severity === 'refusal' ? 'This image cannot be deployed here' : message}>
          <Text size="sm">
            {severity === 'refusal' ? `${message} ` : null}
            <span className="fix">{fix}</span>
          </Text>
        </Notice>
      ))}
      <details>
        <summary>What will happen</summary>
        <List size="sm" mt="xs">
          {plan.data.steps.map(({ area, text }) => (
            <List.Item key={`${area} ${text}`}>{text}</List.Item>
          ))}
        </List>
      </details>
    </>
  );
}
