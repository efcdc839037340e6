// Version - what only KCL 2.x needs to be told: nothing.
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.leases.LeaseManagementConfig;

class Version {
	static void tune(CoordinatorConfig coordinator, LeaseManagementConfig leases) {}
}
