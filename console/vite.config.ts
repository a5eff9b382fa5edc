import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// Built into the Python package; every file is served by the node itself and nothing is fetched from elsewhere.
export default defineConfig({
  root: 'src',
  publicDir: '../public',
  plugins: [svelte()],
  build: {
    outDir: '../../src/amagasa/entry/people/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
})
