// KclWorker STREAM TABLE NAME OUTFILE - a worker of the Kinesis Client Library that notes each record and checkpoints each batch.
//
// A note is one line: microseconds, tenure (a processor's life, counted), shard, sequence number, subsequence number,
// data; tab-separated, handed to the kernel before the checkpoint. Ends cleanly on SIGTERM. Endpoints come from KINESIS_URL and
// DYNAMODB_URL, the failover time in ms from FAILOVER_MS, that between two clean-ups of ended shards' rows from CLEANUP_MS. With
// RECORDS it checkpoints that many records and is gone, in the midst of an aggregate maybe.
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.LeaseCleanupConfig;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

public class KclWorker {
	static FileOutputStream out;
	static int[] left; // records that it may process; null: all
	static final AtomicInteger tenures = new AtomicInteger(), live = new AtomicInteger();

	static class Processor implements ShardRecordProcessor {
		final int tenure = tenures.incrementAndGet();
		String shard;

		public void initialize(InitializationInput in) {
			shard = in.shardId();
			live.incrementAndGet();
			say("begins " + shard + " behind " + in.extendedSequenceNumber());
		}

		public void processRecords(ProcessRecordsInput in) {
			if (in.records().isEmpty()) {
				return;
			}
			if (left == null) {
				note(in.records());
				checkpoint(in.checkpointer(), "a batch");
				return;
			}
			synchronized (left) {
				List<KinesisClientRecord> records = in.records().subList(0, Math.min(left[0], in.records().size()));
				KinesisClientRecord last = records.get(records.size() - 1);
				note(records);
				try {
					in.checkpointer().checkpoint(last.sequenceNumber(), last.subSequenceNumber());
				} catch (Exception e) {
					throw new RuntimeException(e);
				}
				left[0] -= records.size();
				if (left[0] == 0) {
					say("gone at " + last.sequenceNumber() + " " + last.subSequenceNumber() + " of " + shard);
					Runtime.getRuntime().halt(0);
				}
			}
		}

		void note(List<KinesisClientRecord> records) {
			StringBuilder lines = new StringBuilder();
			for (KinesisClientRecord r : records) {
				lines.append(ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now())).append('\t').append(tenure).append('\t')
						.append(shard).append('\t').append(r.sequenceNumber()).append('\t').append(r.subSequenceNumber())
						.append('\t').append(StandardCharsets.UTF_8.decode(r.data())).append('\n');
			}
			try {
				out.write(lines.toString().getBytes(StandardCharsets.UTF_8)); // one write(2): a kill leaves no half of a batch
			} catch (IOException e) {
				say("can't note: " + e);
				Runtime.getRuntime().halt(3);
			}
		}

		public void leaseLost(LeaseLostInput in) {
			live.decrementAndGet();
			say("lost " + shard);
		}

		public void shardEnded(ShardEndedInput in) {
			checkpoint(in.checkpointer(), "the end");
			live.decrementAndGet();
			say("ended " + shard);
		}

		public void shutdownRequested(ShutdownRequestedInput in) {
			checkpoint(in.checkpointer(), "a shutdown");
			say("shuts down " + shard);
		}

		void checkpoint(RecordProcessorCheckpointer checkpointer, String at) {
			try {
				checkpointer.checkpoint();
			} catch (ShutdownException e) { // somebody else has the lease by now
				say("no checkpoint of " + shard + " at " + at + ": " + e.getMessage());
			} catch (InvalidStateException e) {
				throw new RuntimeException(e);
			}
		}
	}

	static synchronized void say(String what) {
		System.err.println(Instant.now() + " " + what);
	}

	static NettyNioAsyncHttpClient.Builder http() {
		return NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1).maxConcurrency(50);
	}

	// A graceful shutdown waits for processors of ended shards, too, and so for ever: it is over when none lives.
	static void stop(Scheduler scheduler) {
		try {
			CompletableFuture<Boolean> done = scheduler.startGracefulShutdown();
			for (int i = 0; i < 200 && !done.isDone() && live.get() > 0; i++) {
				Thread.sleep(100);
			}
			say(live.get() == 0 ? "stops" : "stops with " + live.get() + " processors alive");
		} catch (InterruptedException e) {
			say("does not stop: " + e);
		}
		Runtime.getRuntime().halt(0);
	}

	// There is no setter, and its own interval is minutes.
	static void cleanUpOften(LeaseManagementConfig leases) throws ReflectiveOperationException {
		if (System.getenv("CLEANUP_MS") == null) {
			return;
		}
		long ms = Long.parseLong(System.getenv("CLEANUP_MS"));
		Field f = LeaseManagementConfig.class.getDeclaredField("leaseCleanupConfig");
		f.setAccessible(true);
		f.set(leases, LeaseCleanupConfig.builder().leaseCleanupIntervalMillis(ms).completedLeaseCleanupIntervalMillis(ms)
				.garbageLeaseCleanupIntervalMillis(ms).build());
	}

	@SuppressWarnings("deprecation") // of what sets the initial position in 2.x and 3.x alike
	public static void main(String[] args) throws Exception {
		String stream = args[0], table = args[1], name = args[2];
		long failover = Long.parseLong(System.getenv().getOrDefault("FAILOVER_MS", "2000"));
		out = new FileOutputStream(args[3], true);
		if (System.getenv("RECORDS") != null) {
			left = new int[] {Integer.parseInt(System.getenv("RECORDS"))};
		}
		EnvironmentVariableCredentialsProvider credentials = EnvironmentVariableCredentialsProvider.create();
		Region region = Region.of(System.getenv("AWS_REGION"));
		KinesisAsyncClient kinesis = KinesisAsyncClient.builder().httpClientBuilder(http()).region(region)
				.credentialsProvider(credentials).endpointOverride(URI.create(System.getenv("KINESIS_URL"))).build();
		DynamoDbAsyncClient dynamo = DynamoDbAsyncClient.builder().httpClientBuilder(http()).region(region)
				.credentialsProvider(credentials).endpointOverride(URI.create(System.getenv("DYNAMODB_URL"))).build();
		CloudWatchAsyncClient cloudwatch = CloudWatchAsyncClient.builder().httpClientBuilder(http()).region(region)
				.credentialsProvider(credentials).endpointOverride(URI.create("http://127.0.0.1:1")).build(); // never called
		ConfigsBuilder b = new ConfigsBuilder(stream, table, kinesis, dynamo, cloudwatch, name, Processor::new);
		PollingConfig polling = new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(250).maxRecords(200);
		CoordinatorConfig coordinator = b.coordinatorConfig().parentShardPollIntervalMillis(500)
				.shardConsumerDispatchPollIntervalMillis(100).schedulerInitializationBackoffTimeMillis(500);
		LeaseManagementConfig leases = b.leaseManagementConfig().failoverTimeMillis(failover).shardSyncIntervalMillis(1000)
				.leasesRecoveryAuditorExecutionFrequencyMillis(2000).listShardsCacheAllowedAgeInSeconds(1)
				.initialPositionInStream(InitialPositionInStreamExtended
						.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
		Version.tune(coordinator, leases);
		cleanUpOften(leases);
		Scheduler scheduler = new Scheduler(b.checkpointConfig(), coordinator, leases, b.lifecycleConfig(),
				b.metricsConfig().metricsFactory(new NullMetricsFactory()), b.processorConfig(),
				b.retrievalConfig().retrievalSpecificConfig(polling)
						.initialPositionInStreamExtended(leases.initialPositionInStream()));
		Thread run = new Thread(scheduler, "scheduler");
		Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(scheduler)));
		say("starts " + name);
		run.start();
		run.join();
	}
}
