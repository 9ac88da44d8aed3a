import type { ReactNode } from 'react';

export type Mood = 'work' | 'good' | 'idle' | 'bad' | 'warn';

/** Shapes as well as colours: colour alone says nothing to many readers. Drawn, so that no font has to have them. */
function shapeOf(mood: Mood): ReactNode {
  switch (mood) {
    case 'good':
      return <circle cx="6" cy="6" r="4.5" fill="currentColor" />;
    case 'idle':
      return <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.5" />;
    case 'work':
      return (
        <>
          <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.5" />
          <path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor" />
        </>
      );
    case 'bad':
    case 'warn':
      return <path d="M6 1.2 11.4 10.6H0.6z" fill="currentColor" />;
  }
}

export function Sign({ mood }: { mood: Mood }) {
  return (
    <svg className="sign" data-mood={mood} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {shapeOf(mood)}
    </svg>
  );
}

/** A state in one word, with its sign. */
export function Mark({ mood, children }: { mood: Mood; children: ReactNode }) {
  return (
    <span className="mark">
      <Sign mood={mood} />
      <span>{children}</span>
    </span>
  );
}
