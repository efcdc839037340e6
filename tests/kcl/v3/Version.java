// Version - what only KCL 3.x needs to be told: whether it works beside 2.x workers (CLIENT_VERSION), and shorter times.
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.leases.LeaseManagementConfig;

class Version {
	static void tune(CoordinatorConfig coordinator, LeaseManagementConfig leases) {
		coordinator.clientVersionConfig(ClientVersionConfig.valueOf(
				System.getenv().getOrDefault("CLIENT_VERSION", "CLIENT_VERSION_CONFIG_3X")));
		leases.dynamoDbLockBasedLeaderLeaseDurationInMillis(3000).dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1000);
		leases.gracefulLeaseHandoffConfig().gracefulLeaseHandoffTimeoutMillis(5000);
		leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(1000)
				.inMemoryWorkerMetricsCaptureFrequencyMillis(500);
	}
}
