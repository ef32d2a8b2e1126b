// Package ui holds the charts as they were built from TypeScript by vite:
//
//	cd internal/web/ui && npm ci && npm run build
//
// The built files lie in dist and are not kept in version control. A program compiled without
// them works: its pages have tables where the charts would be.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are the built files.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is constant and valid
	}
	return files
}

// Built tells whether the charts were built before the program was compiled.
func Built() bool {
	_, err := fs.Stat(dist, "dist/islands.js")
	return err == nil
}
