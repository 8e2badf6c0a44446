// Package classfile reads compiled Java classes (the .class format of JVMS chapter 4) far enough to answer one
// question without a JVM: how does java.io.ObjectStreamClass describe this class in an object stream? That is its
// serialVersionUID (declared, or the SHA-1 default that the JVM computes over the class's shape), its flags, its
// serializable fields in wire order and its serializable superclasses.
//
// Spark declares almost no serialVersionUID, so every release that adds a method to a message class speaks a protocol
// of its own. This package is what lets Firesteel learn such a release from its jars: package releases generates its
// tables with it and recognises an installed Spark home by it.
//
// Parse reads one class; OpenClassPath finds classes in jars; Describe puts both together. All input is taken as
// hostile: every length is checked against the bytes that are left, sizes and depths are bounded, nothing panics.
//
// What it is not: no byte code verifier, no class loader. It does not run static initialisers, so a class whose
// serialVersionUID or serialPersistentFields only exist after <clinit> is refused with ErrNotStatic. Classes of
// the JDK are not read from anywhere: the few that Spark's messages need are constants (see jdk.go).
package classfile
