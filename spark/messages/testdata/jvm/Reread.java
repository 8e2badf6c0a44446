import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** Reads every object stream of a directory with Spark's own classes, prints the object, and writes it anew to NAME.out. */
public class Reread {
    public static void main(String[] args) throws Exception {
        List<Path> files;
        try (var list = Files.list(Path.of(args[0]))) {
            files = list.filter(p -> p.toString().endsWith(".ser")).sorted().collect(Collectors.toList());
        }
        for (Path p : files) {
            Object o;
            try (var in = new ObjectInputStream(Files.newInputStream(p))) {
                o = in.readObject();
                if (in.read() != -1) {
                    throw new IllegalStateException("bytes after the object");
                }
            } catch (Exception | LinkageError e) {
                System.out.println(p.getFileName() + "\tFAILED\t" + e);
                continue;
            }
            try (var out = new ObjectOutputStream(Files.newOutputStream(Path.of(p + ".out")))) {
                out.writeObject(o);
            }
            System.out.println(p.getFileName() + "\t" + o.getClass().getName() + "\t" + o);
        }
    }
}
