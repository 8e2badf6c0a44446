package spark

import (
	"archive/zip"
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed jobs/Puppet.java
var puppetSource []byte

// PuppetClass is the main class of DriverJar: a cluster-mode driver that does what package puppet tells it, and can have an
// application of its own.
const PuppetClass = "Puppet"

// DriverJar compiles the puppet against the jars of a release and packs it, as dir/puppet-VERSION.jar.
func DriverJar(ctx context.Context, dir string, r Release) (jar string, err error) {
	java, err := JavaHome()
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "puppet-"+r.Version+"-")
	if err != nil {
		return "", fmt.Errorf("compile a driver: %w", err)
	}
	source := filepath.Join(work, PuppetClass+".java")
	if err := os.WriteFile(source, puppetSource, 0o644); err != nil {
		return "", fmt.Errorf("compile a driver: %w", err)
	}
	classes := filepath.Join(work, "classes")
	javac := exec.CommandContext(ctx, filepath.Join(java, "bin", "javac"), "-nowarn", "-proc:none", "-d", classes, "-cp", filepath.Join(r.Home, "jars", "*"), source)
	if out, err := javac.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile a driver for %v: %w\n%s", r, err, out)
	}
	jar = filepath.Join(dir, "puppet-"+r.Version+".jar")
	if err := pack(classes, jar); err != nil {
		return "", fmt.Errorf("pack a driver for %v: %w", r, err)
	}
	return jar, nil
}

// pack makes a jar of a folder of classes.
func pack(classes, jar string) error {
	out, err := os.Create(jar)
	if err != nil {
		return err
	}
	defer out.Close()
	z := zip.NewWriter(out)
	tree := os.DirFS(classes)
	err = fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		w, err := z.Create(path)
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	})
	if err != nil {
		return err
	}
	return z.Close()
}
