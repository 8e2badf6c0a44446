package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

func freePort() (int, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(devHost, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// usualOrAny gives the first master the port that users expect, if it is free.
func usualOrAny(i, usual int) int {
	if i > 0 {
		return 0
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(devHost, strconv.Itoa(usual)))
	if err != nil {
		return 0
	}
	ln.Close()
	return usual
}

func devDir(dir string) (string, func(), error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		return abs, func() {}, err
	}
	dir, err := os.MkdirTemp("", "firesteel-dev-")
	if err != nil {
		return "", nil, fmt.Errorf("make a directory for the cluster: %w", err)
	}
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			slog.Warn("the cluster's directory could not be removed", "dir", dir, "error", err)
		}
	}, nil
}

var errNoSpark = errors.New("no Spark found: install one (pip install pyspark), or name one by --spark-home or SPARK_HOME")

// devHomes finds the Spark that the user means when none is named.
func devHomes(ctx context.Context, named []string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	if home := os.Getenv("SPARK_HOME"); home != "" {
		return splitList(home), nil
	}
	if submit, err := exec.LookPath("spark-submit"); err == nil {
		if real, err := filepath.EvalSymlinks(submit); err == nil && hasJars(filepath.Dir(filepath.Dir(real))) {
			return []string{filepath.Dir(filepath.Dir(real))}, nil
		}
	}
	for _, python := range []string{os.Getenv("PYSPARK_PYTHON"), "python3", "python"} {
		if python == "" {
			continue
		}
		out, err := exec.CommandContext(ctx, python, "-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))").Output()
		if home := strings.TrimSpace(string(out)); err == nil && hasJars(home) {
			return []string{home}, nil
		}
	}
	return nil, errNoSpark
}

func hasJars(home string) bool {
	info, err := os.Stat(filepath.Join(home, "jars"))
	return err == nil && info.IsDir()
}
