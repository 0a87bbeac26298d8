// Package pipeline placeholder.
package pipeline
