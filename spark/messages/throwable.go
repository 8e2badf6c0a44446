package messages

import (
	"slices"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// Throwable is a Java exception.
type Throwable struct {
	Class   string // "" is written as java.lang.RuntimeException
	Message string // "" where it is null

	// Tree is the exception as it came, with its stack trace and cause. It is written as it is, so it must only go to a
	// peer of the build it came from: drop it otherwise.
	Tree *javaser.Object
}

// String is what Throwable.toString gives: the class and, where there is one, the message.
func (t Throwable) String() string {
	if t.Message == "" {
		return t.Class
	}
	return t.Class + ": " + t.Message
}

func readThrowable(_ *parser, v javaser.Value) (Throwable, error) {
	class, message, err := scala.Throwable(v)
	if err != nil {
		return Throwable{}, err
	}
	return Throwable{Class: class, Message: message, Tree: v.(*javaser.Object)}, nil
}

// plainThrowables need no fields of their own, and every JVM has them.
var plainThrowables = []string{"java.lang.Exception", "java.lang.RuntimeException", "java.lang.IllegalStateException"}

// throwable writes an exception. One of a class that the receiver may not have, or whose fields are not known, becomes
// a RuntimeException that names it: an unreadable exception would cost the receiver the whole message.
func (b *builder) throwable(t Throwable) javaser.Value {
	if t.Tree != nil {
		return t.Tree
	}
	if slices.Contains(plainThrowables, t.Class) {
		return b.Throwable(t.Class, t.Message)
	}
	return b.Throwable("java.lang.RuntimeException", t.String())
}

// optionThrowable writes an Option[Exception].
func (b *builder) optionThrowable(t *Throwable) javaser.Value {
	if t == nil {
		return b.None()
	}
	return b.Some(b.throwable(*t))
}
