package messages

const (
	deploy   = "org.apache.spark.deploy."
	deployed = deploy + "DeployMessages$"
	resource = "org.apache.spark.resource."

	classCheckExistence = "org.apache.spark.rpc.netty.RpcEndpointVerifier$CheckExistence"
	classRPCFailure     = "org.apache.spark.rpc.netty.RpcFailure"
	classBoolean        = "java.lang.Boolean"
	classInteger        = "java.lang.Integer"

	classRef             = "org.apache.spark.rpc.netty.NettyRpcEndpointRef"
	classEndpointAddress = "org.apache.spark.rpc.RpcEndpointAddress"
	classAddress         = "org.apache.spark.rpc.RpcAddress"
	classTimeout         = "org.apache.spark.rpc.RpcTimeout"
	classDuration        = "scala.concurrent.duration.FiniteDuration"
	classTimeUnit        = "java.util.concurrent.TimeUnit"
	classURI             = "java.net.URI"
	classStrings         = "[Ljava.lang.String;"

	classAppDescription      = deploy + "ApplicationDescription"
	classDriverDescription   = deploy + "DriverDescription"
	classExecutorDescription = deploy + "ExecutorDescription"
	classCommand             = deploy + "Command"
	classExecutorState       = deploy + "ExecutorState$"
	classDriverState         = deploy + "master.DriverState$"
	classBoundPortsRequest   = deploy + "master.MasterMessages$BoundPortsRequest$"
	classBoundPortsResponse  = deploy + "master.MasterMessages$BoundPortsResponse"
	classExecutorResponse    = deployed + "WorkerExecutorStateResponse"
	classDriverResponse      = deployed + "WorkerDriverStateResponse"

	classResourceProfile     = resource + "ResourceProfile"
	classExecutorRequest     = resource + "ExecutorResourceRequest"
	classTaskRequest         = resource + "TaskResourceRequest"
	classResourceInformation = resource + "ResourceInformation"
	classResourceRequirement = resource + "ResourceRequirement"
)
