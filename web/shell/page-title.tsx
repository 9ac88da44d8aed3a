import { Title } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';

/** The page's one h1: sets the document title and takes the focus after a navigation, so that it is announced once. */
export function PageTitle({ text, children }: { text: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${text} · Ingot`;
    heading.current?.focus({ preventScroll: true });
  }, [text]);
  return (
    <Title order={1} size="h3" ref={heading} tabIndex={-1}>
      {children ?? text}
    </Title>
  );
}
