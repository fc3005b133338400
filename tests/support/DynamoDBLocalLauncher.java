// Starts DynamoDB Local with its test control on: writes to the table [TEST_CONTROL] then close
// shards and age the world. No option of its command line reaches that, so this goes in one level
// below it. Run as a source file (Java 11 and newer), with the emulator's jars on the class path:
//   java -cp 'DynamoDBLocal.jar:DynamoDBLocal_lib/*' DynamoDBLocalLauncher.java PORT
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler;
import java.lang.reflect.Constructor;

public class DynamoDBLocalLauncher {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        Class<?> type = Class.forName(
            "com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler");
        // port, inMemory, dbPath, sharedDb, delayTransientStatuses, testControl
        Constructor<?> make = type.getDeclaredConstructor(
            int.class, boolean.class, String.class, boolean.class, boolean.class, boolean.class);
        make.setAccessible(true); // package-private: only the emulator's own tests use it
        Object handler = make.newInstance(port, true, null, true, false, true);
        DynamoDBProxyServer server = new DynamoDBProxyServer(
            port, new LocalDynamoDBServerHandler((DynamoDBRequestHandler) handler, null));
        server.safeStart();
        Thread stop = new Thread(() -> {
            try { while (System.in.read() != -1) { } } catch (java.io.IOException gone) { }
            Runtime.getRuntime().halt(0); // our parent is gone, or says stop: nothing to save
        });
        stop.setDaemon(true);
        stop.start();
        server.join();
    }
}
