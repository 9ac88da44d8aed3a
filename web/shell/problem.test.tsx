import { MantineProvider } from '@mantine/core';
import { renderToStaticMarkup } from 'react-dom/server';
import { expect, test } from 'vitest';
import { Problem } from './problem.tsx';

test('a mistake of the page itself is shown with a code too', () => {
  const html = renderToStaticMarkup(
    <MantineProvider>
      <Problem error={new Error('undefined is not a machine')} />
    </MantineProvider>,
  );
  expect(html).toContain('undefined is not a machine');
  expect(html.match(/>(web\.\w+)</)?.[1]).toBe('web.failed');
});
