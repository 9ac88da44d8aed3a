import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// One page, hashed assets, no inline script: the region serves it with a strict content security policy.
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [react()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    sourcemap: false,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
});
