import { defineConfig } from "vite";

// One script without a hash in its name: the server adds ?v=<hash> itself.
export default defineConfig({
  build: {
    outDir: "dist",
    emptyOutDir: false, // dist/.keep is under version control
    modulePreload: false,
    target: "es2022",
    chunkSizeWarningLimit: 900,
    rollupOptions: {
      input: "src/islands.ts",
      output: { entryFileNames: "islands.js", inlineDynamicImports: true },
    },
  },
});
