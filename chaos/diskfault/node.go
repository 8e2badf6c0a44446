package diskfault

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or directory. What it does not mention passes through.
type node struct {
	*fs.LoopbackNode
	gate    *gate
	journal *journal
}

var (
	_ fs.NodeWrapChilder    = (*node)(nil)
	_ fs.NodeLookuper       = (*node)(nil)
	_ fs.NodeGetattrer      = (*node)(nil)
	_ fs.NodeSetattrer      = (*node)(nil)
	_ fs.NodeStatfser       = (*node)(nil)
	_ fs.NodeOpener         = (*node)(nil)
	_ fs.NodeCreater        = (*node)(nil)
	_ fs.NodeMkdirer        = (*node)(nil)
	_ fs.NodeUnlinker       = (*node)(nil)
	_ fs.NodeRmdirer        = (*node)(nil)
	_ fs.NodeRenamer        = (*node)(nil)
	_ fs.NodeOpendirHandler = (*node)(nil)
	_ fs.NodeFsyncer        = (*node)(nil)
)

func newRoot(backing string, g *gate, j *journal) (*node, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(backing, &st); err != nil {
		return nil, err
	}
	data := &fs.LoopbackRoot{Path: backing, Dev: uint64(st.Dev)} //nolint:unconvert // its type differs by platform
	root := &node{&fs.LoopbackNode{RootData: data}, g, j}
	data.RootNode = root
	return root, nil
}

// WrapChild implements fs.NodeWrapChilder.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{child.(*fs.LoopbackNode), n.gate, n.journal}
}

// path is where the node is kept.
func (n *node) path() string { return filepath.Join(n.RootData.Path, n.Path(n.Root())) }

func (n *node) child(name string) string { return filepath.Join(n.path(), name) }

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.gate.pass(reads)
	return n.LoopbackNode.Lookup(ctx, name, out)
}

// Getattr implements fs.NodeGetattrer.
func (n *node) Getattr(ctx context.Context, h fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.gate.pass(reads)
	return n.LoopbackNode.Getattr(ctx, h, out)
}

// Statfs implements fs.NodeStatfser.
func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.gate.pass(reads)
	errno := n.LoopbackNode.Statfs(ctx, out)
	if n.gate.get().Full {
		out.Bfree, out.Bavail = 0, 0
	}
	return errno
}

// Setattr implements fs.NodeSetattrer.
func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	// Making a file longer makes a hole, which takes no space.
	if errno := n.gate.pass(frees); errno != 0 {
		return errno
	}
	if size, ok := in.GetSize(); ok {
		if err := n.journal.truncate(n.path(), int64(size)); err != nil {
			return fs.ToErrno(err)
		}
	}
	return n.LoopbackNode.Setattr(ctx, h, in, out) // the size once more, which changes nothing
}

// Open implements fs.NodeOpener.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.gate.pass(reads)
	if flags&syscall.O_TRUNC != 0 {
		if errno := n.gate.pass(frees); errno != 0 {
			return nil, 0, errno
		}
		if err := n.journal.truncate(n.path(), 0); err != nil {
			return nil, 0, fs.ToErrno(err)
		}
	}
	f, err := os.OpenFile(n.path(), int(flags)&^(syscall.O_APPEND|syscall.O_TRUNC), 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	return &file{node: n, f: f}, 0, 0
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.gate.pass(writes); errno != 0 {
		return nil, nil, 0, errno
	}
	_, err := os.Lstat(n.child(name))
	inode, h, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return inode, h, fuseFlags, errno
	}
	if os.IsNotExist(err) {
		n.journal.created(n.child(name))
	}
	if r, ok := h.(fs.FileReleaser); ok {
		r.Release(ctx)
	}
	f, err := os.OpenFile(n.child(name), int(flags)&^(syscall.O_APPEND|syscall.O_TRUNC|syscall.O_CREAT|syscall.O_EXCL), 0)
	if err != nil {
		return nil, nil, 0, fs.ToErrno(err)
	}
	made, ok := inode.Operations().(*node)
	if !ok {
		f.Close()
		return nil, nil, 0, syscall.EIO
	}
	return inode, &file{node: made, f: f}, fuseFlags, 0
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.gate.pass(writes); errno != 0 {
		return nil, errno
	}
	inode, errno := n.LoopbackNode.Mkdir(ctx, name, mode, out)
	if errno == 0 {
		n.journal.created(n.child(name))
	}
	return inode, errno
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if errno := n.gate.pass(frees); errno != 0 {
		return errno
	}
	return n.journal.remove(n.child(name), func() syscall.Errno { return n.LoopbackNode.Unlink(ctx, name) })
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if errno := n.gate.pass(frees); errno != 0 {
		return errno
	}
	return n.journal.remove(n.child(name), func() syscall.Errno { return n.LoopbackNode.Rmdir(ctx, name) })
}

// Rename implements fs.NodeRenamer.
func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if errno := n.gate.pass(frees); errno != 0 {
		return errno
	}
	parent, ok := to.(*node)
	if !ok {
		return syscall.EXDEV
	}
	return n.journal.rename(n.child(name), parent.child(newName), func() syscall.Errno {
		return n.LoopbackNode.Rename(ctx, name, parent.LoopbackNode, newName, flags)
	})
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.gate.pass(reads)
	h, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if stream, ok := h.(dirStream); ok {
		h = &dir{stream, n}
	}
	return h, fuseFlags, errno
}

// dirStream is what go-fuse makes of an open directory.
type dirStream interface {
	fs.FileReaddirenter
	fs.FileReleasedirer
	fs.FileSeekdirer
}

// dir is an open directory.
type dir struct {
	dirStream
	node *node
}

// Fsyncdir implements fs.FileFsyncdirer.
func (d *dir) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	return d.node.Fsync(ctx, d, flags)
}

// Fsync implements fs.NodeFsyncer, for files and directories.
func (n *node) Fsync(_ context.Context, _ fs.FileHandle, _ uint32) syscall.Errno {
	if errno := n.gate.pass(syncs); errno != 0 {
		return errno
	}
	// The backing file need not be synced: the power that fails is ours alone.
	if n.IsDir() {
		n.journal.syncDir(n.path())
		return 0
	}
	if ino, _, err := stat(n.path()); err == nil {
		n.journal.syncFile(ino, n.path())
	}
	return 0
}

// file is an open file.
type file struct {
	node *node
	f    *os.File
}

var (
	_ fs.FileReader    = (*file)(nil)
	_ fs.FileWriter    = (*file)(nil)
	_ fs.FileAllocater = (*file)(nil)
	_ fs.FileGetattrer = (*file)(nil)
	_ fs.FileReleaser  = (*file)(nil)
)

// Read implements fs.FileReader.
func (f *file) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	f.node.gate.pass(reads)
	n, err := syscall.Pread(int(f.f.Fd()), dest, off)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Write implements fs.FileWriter.
func (f *file) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := f.node.gate.pass(writes); errno != 0 {
		return 0, errno
	}
	n, err := f.node.journal.write(f.f, f.node.path(), data, off)
	return uint32(n), fs.ToErrno(err)
}

// Allocate implements fs.FileAllocater. Its effect is not undone by a power loss.
func (f *file) Allocate(_ context.Context, off, size uint64, mode uint32) syscall.Errno {
	if errno := f.node.gate.pass(writes); errno != 0 {
		return errno
	}
	return fs.ToErrno(syscall.Fallocate(int(f.f.Fd()), mode, int64(off), int64(size)))
}

// Getattr implements fs.FileGetattrer.
func (f *file) Getattr(_ context.Context, out *fuse.AttrOut) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.f.Fd()), &st); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStat(&st)
	return 0
}

// Release implements fs.FileReleaser.
func (f *file) Release(context.Context) syscall.Errno { return fs.ToErrno(f.f.Close()) }
