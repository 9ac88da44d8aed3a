import type { ReactNode } from 'react';

/** Something the reader should know: what, and below it the rest. `bad` interrupts a screen reader. */
export function Notice({
  mood,
  title,
  interrupt = false,
  children,
}: {
  mood: 'bad' | 'warn';
  title: string;
  interrupt?: boolean;
  children?: ReactNode;
}) {
  return (
    <div className="notice" data-mood={mood} {...(interrupt ? { role: 'alert' } : {})}>
      <p className="notice-title">{title}</p>
      {children}
    </div>
  );
}
