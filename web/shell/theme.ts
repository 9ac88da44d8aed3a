import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

/** Hot metal: one warm accent. Shade 8 under white text and 4 on dark grounds have a contrast of at least 5 : 1. */
const EMBER: MantineColorsTuple = [
  '#fff4ec',
  '#ffe6d5',
  '#ffcaa8',
  '#ffab78',
  '#ff9a5e',
  '#f37a35',
  '#dd6320',
  '#c75214',
  '#b3460d',
  '#96390a',
];

export const theme = createTheme({
  colors: { ember: EMBER },
  primaryColor: 'ember',
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: 'sm',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  cursorType: 'pointer',
  headings: { fontWeight: '650', sizes: { h1: { fontSize: '1.375rem', lineHeight: '1.3' } } },
});

/** Colours that the library's defaults leave too pale to read (WCAG 1.4.3). */
export const resolveVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#596068',
    '--mantine-color-error': '#c92a2a',
    '--mantine-color-placeholder': '#6c737a',
    '--ingot-ground': '#f6f7f8',
    '--ingot-good': '#1f7a37',
    '--ingot-work': '#1864ab',
    '--ingot-idle': '#596068',
    '--ingot-bad': '#c01f1f',
    '--ingot-warn': '#9a5200',
  },
  dark: {
    '--mantine-color-dimmed': '#a8adb3',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-placeholder': '#8f959b',
    '--ingot-ground': '#1c1c1e',
    '--ingot-good': '#69db7c',
    '--ingot-work': '#74c0fc',
    '--ingot-idle': '#a8adb3',
    '--ingot-bad': '#ff8787',
    '--ingot-warn': '#ffc078',
  },
});
