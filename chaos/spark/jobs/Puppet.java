import java.io.BufferedReader;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** A driver that does what it is told over a Unix socket: package chaos/puppet says how. It has an application when it is told "app". */
public final class Puppet {
  private static JavaSparkContext sc;
  private static PrintStream stage;

  public static void main(String[] args) throws Exception {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(args[1]));
    stage = new PrintStream(Channels.newOutputStream(channel), true, StandardCharsets.UTF_8);
    // Its directory is the run's; the process id is what the stage tells the living from the dead by.
    stage.println("begin " + args[2] + " " + Path.of("").toAbsolutePath().getFileName() + " " + ProcessHandle.current().pid());
    for (String line : args[3].split("\n")) {
      obey(line.trim(), args[2]);
    }
    BufferedReader lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      obey(line, args[2]);
    }
    Runtime.getRuntime().halt(97); // the stage is gone
  }

  private static void obey(String line, String name) throws Exception {
    String[] words = line.split(" ", 2);
    switch (words[0]) {
      case "":
        return;
      case "exit":
        if (sc != null) {
          sc.stop();
        }
        System.exit(Integer.parseInt(words[1]));
        return;
      case "throw": // what Spark makes of it is Spark's business
        throw new IllegalStateException(words[1]);
      case "stubborn":
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
          try {
            Thread.sleep(Long.MAX_VALUE);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        }));
        stage.println("stubborn");
        return;
      case "say":
        stage.println(words[1]);
        return;
      case "print":
        System.out.println(words[1]);
        return;
      case "conf": // a setting as this driver sees it
        stage.println("conf " + words[1] + " " + new SparkConf().get(words[1], "(none)"));
        return;
      case "app":
        sc = new JavaSparkContext(new SparkConf().setAppName(name));
        stage.println("app " + sc.sc().applicationId());
        return;
      case "work": // a shuffle of its application
        List<Integer> numbers = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
          numbers.add(i);
        }
        stage.println("work " + sc.parallelize(numbers, 4).distinct(2).count());
        return;
      default:
        System.exit(98);
    }
  }
}
