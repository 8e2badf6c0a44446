import java.io.OutputStream;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DFSTestUtil;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;

/** Two real NameNodes, of which the second is active, and a DataNode, in the folder that is the argument, until its input ends. */
public class MiniHdfs {
  static void put(FileSystem fs, String path, int length) throws Exception {
    byte[] bytes = new byte[length];
    new Random(7).nextBytes(bytes);
    try (OutputStream out = fs.create(new Path(path))) {
      out.write(bytes);
    }
  }

  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    conf.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, args[0]);
    conf.setLong("dfs.namenode.fs-limits.min-block-size", 512);
    conf.setLong("dfs.blocksize", 4096);
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(conf).nnTopology(MiniDFSNNTopology.simpleHATopology()).numDataNodes(1).build();
    cluster.waitActive();
    cluster.transitionToActive(1);
    FileSystem fs = cluster.getFileSystem(1);
    put(fs, "/jars/small.jar", 6000);
    put(fs, "/jars/empty.jar", 0);
    put(fs, "/jars/private.jar", 100);
    fs.setPermission(new Path("/jars/private.jar"), new FsPermission((short) 0600));
    put(fs, "/jars/rotten.jar", 3000);
    conf.setLong("dfs.blocksize", 1 << 20);
    try (FileSystem large = FileSystem.newInstance(fs.getUri(), conf)) {
      put(large, "/jars/app.jar", 5_000_000);
    }
    System.err.println("CORRUPT " + cluster.corruptBlockOnDataNodes(DFSTestUtil.getFirstBlock(fs, new Path("/jars/rotten.jar"))));
    System.out.println("READY " + cluster.getNameNodePort(0) + " " + cluster.getNameNodePort(1) + " " + cluster.getHttpUri(1).split(":")[2]);
    while (System.in.read() >= 0) {}
    cluster.shutdown();
  }
}
