package sample;

import java.io.*;
import java.util.*;

/** Shapes that decide a serialVersionUID. Samples.main prints what this JVM makes of them, one JSON object a line. */
public class Samples {
    public static class Plain implements Serializable { public int count; private String name; protected long[] sums; byte b; Object any; }
    static final class Nested implements Serializable, Comparable<Nested>, Cloneable { int x; public int compareTo(Nested o) { return 0; } }
    private static class Hidden implements Serializable { private static final int K = new Random().nextInt(); private transient int t; transient int u; volatile int v; }
    protected static abstract class Base { int lost; Base() {} }
    protected static class FromBase extends Base implements Serializable { double kept; private FromBase(int i) {} protected FromBase() {} }
    public static class Derived extends FromBase { String more; synchronized strictfp native2 m() { return null; } native void n(int[][] a, String... s); }
    public static class native2 {}
    public static class Declared implements Serializable { private static final long serialVersionUID = -42L; int a; }
    public static class DeclaredInt implements Serializable { static final int serialVersionUID = 7; int a; }
    public static class NotFinal implements Serializable { static long serialVersionUID = 99L; int a; }
    public static class Writes implements Serializable { int a; private void writeObject(ObjectOutputStream o) throws IOException { o.defaultWriteObject(); } }
    public static class WritesPublicly implements Serializable { int a; public void writeObject(ObjectOutputStream o) {} }
    public static class External implements Externalizable { int a; public External() {} public void writeExternal(ObjectOutput o) {} public void readExternal(ObjectInput i) {} private void writeObject(ObjectOutputStream o) {} }
    public enum Color { RED, GREEN { void f() {} } }
    public enum Fielded implements Comparator<String> { A; int f; public int compare(String a, String b) { return 0; } }
    public record Point(int x, String y) implements Serializable {}
    public record Tagged(int x) implements Serializable { private static final long serialVersionUID = 5L; }
    public interface Marker extends Serializable {}
    public interface WithMethods extends Marker { int f(); default void g() {} static void h() {} int K = new Random().nextInt(); }
    public static class ByInterface implements WithMethods { public int f() { return 1; } }
    public class Inner implements Serializable { int i; class Deeper implements Serializable { int j; } }
    public static class Failure extends IllegalStateException { int code; }
    public static class Quantity extends Number { public int intValue() { return 0; } public long longValue() { return 0; } public float floatValue() { return 0; } public double doubleValue() { return 0; } }
    public static class Ünïcödé𐐀 implements Serializable { int ä, z, 𐐀, ｚ; void ß() {} }
    static class Plainest implements Serializable {}
    public static class NotSerializable { int a; }
    public static class Persistent implements Serializable { private static final ObjectStreamField[] serialPersistentFields = {}; int a; }
    public static class Computed implements Serializable { private static final long serialVersionUID = Long.parseLong("12"); }
    static Serializable anonymous() { int k = hashCode0(); return new Serializable() { int captured = k; }; }
    static int hashCode0() { return 3; }
    static Runnable lambda() { return (Runnable & Serializable) () -> {}; }

    public static void main(String[] names) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
        for (String name : names) {
            ObjectStreamClass d = ObjectStreamClass.lookup(Class.forName(name));
            if (d == null) { out.println("{\"name\":\"" + name + "\",\"notSerializable\":true}"); continue; }
            StringBuilder s = new StringBuilder("{\"name\":\"" + name + "\",\"suid\":\"" + d.getSerialVersionUID() + "\"");
            s.append(",\"flags\":").append(flags(d.forClass()));
            Class<?> sup = d.forClass().getSuperclass();
            if (sup != null && ObjectStreamClass.lookup(sup) != null) s.append(",\"super\":\"" + sup.getName() + "\"");
            s.append(",\"fields\":[");
            String comma = "";
            for (ObjectStreamField f : d.getFields()) {
                s.append(comma).append("\"" + f.getName() + " " + (f.isPrimitive() ? "" + f.getTypeCode() : f.getTypeString()) + "\"");
                comma = ",";
            }
            out.println(s.append("]}"));
        }
    }

    /** The flags byte as ObjectOutputStream writes it: taken from a stream that holds the class itself. */
    static int flags(Class<?> c) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream o = new ObjectOutputStream(bytes)) { o.writeObject(c); }
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes.toByteArray()));
        in.readInt(); in.readByte(); in.readByte();
        in.readUTF(); in.readLong();
        return in.readByte();
    }
}
