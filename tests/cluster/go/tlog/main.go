// Checks a log of ours with code of others: Go's sumdb/note and sumdb/tlog, and Tessera's fsck.
//
//	tlog DIRECTORY VKEY [OLDER-CHECKPOINT…]
//
// sumdb: the checkpoint opens, every leaf hash is that of its entry, inclusion proofs of entries and
// consistency proofs from sizes over the whole log hold; older checkpoints are consistent.
// fsck: Tessera reads all bundles and tiles and compares them with the root.
// Prints one line and exits with 0, or says on standard error what does not hold and exits with 1.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// reader adapts the paths of C2SP tlog-tiles to those of sumdb/tlog.
type reader struct{ directory string }

func (reader) Height() int                     { return height }
func (reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r reader) path(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return filepath.Join(r.directory, strings.Replace(path, "tile/data/", "tile/entries/", 1))
}

func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		read, err := os.ReadFile(r.path(tile))
		if err != nil {
			return nil, err
		}
		data[i] = read
	}
	return data, nil
}

// entries reads a bundle: of each entry its length in two bytes, and the entry.
func (r reader) entries(bundle int64, width int) ([][]byte, error) {
	data, err := os.ReadFile(r.path(tlog.Tile{H: height, L: -1, N: bundle, W: width}))
	if err != nil {
		return nil, err
	}
	found := make([][]byte, 0, width)
	for len(data) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if end > len(data) {
			break
		}
		found = append(found, data[2:end])
		data = data[end:]
	}
	if len(data) != 0 || len(found) != width {
		return nil, fmt.Errorf("bundle %d has %d entries, %d bytes are left", bundle, len(found), len(data))
	}
	return found, nil
}

func parse(data []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the checkpoint has %d lines, origin %q", len(lines)-1, lines[0])
	}
	var tree tlog.Tree
	if _, err := fmt.Sscanf(lines[1], "%d", &tree.N); err != nil {
		return tlog.Tree{}, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func sumdb(r reader, tree tlog.Tree, older []tlog.Tree) (int, error) {
	hashes := tlog.TileHashReader(tree, r)
	proofs := 0
	step := max(tree.N/200, 1)
	for bundle := int64(0); bundle*256 < tree.N; bundle++ {
		entries, err := r.entries(bundle, int(min(tree.N-bundle*256, 256)))
		if err != nil {
			return 0, err
		}
		for i, entry := range entries {
			index := bundle*256 + int64(i)
			if index%step != 0 && index != tree.N-1 {
				continue
			}
			proof, err := tlog.ProveRecord(tree.N, index, hashes)
			if err != nil {
				return 0, err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				return 0, fmt.Errorf("entry %d: %w", index, err)
			}
			root, err := tlog.TreeHash(index+1, hashes)
			if err != nil {
				return 0, err
			}
			consistency, err := tlog.ProveTree(tree.N, index+1, hashes)
			if err != nil {
				return 0, err
			}
			if err := tlog.CheckTree(consistency, tree.N, tree.Hash, index+1, root); err != nil {
				return 0, fmt.Errorf("size %d: %w", index+1, err)
			}
			proofs += 2
		}
	}
	for _, old := range older {
		if old.N == 0 {
			continue
		}
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return 0, fmt.Errorf("the checkpoint of %d: %w", old.N, err)
		}
		proofs++
	}
	return proofs, nil
}

func check(directory, vkey string, files []string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := parse(data, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	older := make([]tlog.Tree, 0, len(files))
	for _, file := range files {
		signed, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		old, err := parse(signed, verifier)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		older = append(older, old)
	}
	proofs, err := sumdb(reader{directory}, tree, older)
	if err != nil {
		return fmt.Errorf("sumdb/tlog: %w", err)
	}
	if err := tessera(directory, verifier); err != nil {
		return fmt.Errorf("tessera fsck: %w", err)
	}
	fmt.Printf("intact: %d entries, %d proofs\n", tree.N, proofs)
	return nil
}

func tessera(directory string, verifier note.Verifier) error {
	fetcher := client.FileFetcher{Root: directory}
	hash := func(bundle []byte) ([][]byte, error) {
		var leaves [][]byte
		for buffer := bytes.NewBuffer(bundle); buffer.Len() > 0; {
			length := buffer.Next(2)
			if len(length) < 2 {
				return nil, fmt.Errorf("a bundle ends within a length")
			}
			size := int(binary.BigEndian.Uint16(length))
			entry := buffer.Next(size)
			if len(entry) < size {
				return nil, fmt.Errorf("a bundle ends within an entry")
			}
			leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(entry))
		}
		return leaves, nil
	}
	return fsck.New(verifier.Name(), verifier, fetcher, hash, fsck.Opts{N: 2}).Check(context.Background())
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: tlog DIRECTORY VKEY [OLDER-CHECKPOINT…]")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
