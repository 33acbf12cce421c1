internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Reads the certificates again at SIGHUP, so that new ones need no restart.
struct CertificateReloader: Service {
    let listener: TLSListener
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) { listener.reload(logger) }
        }
    }
}
