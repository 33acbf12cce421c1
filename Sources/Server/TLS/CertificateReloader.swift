internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Reads the certificates again at SIGHUP, so that new ones need no restart. Without certificates the signal is caught
/// all the same: who asks a service to read its files again must not end it.
struct CertificateReloader: Service {
    let listener: TLSListener?
    /// Caught from before the server says that it is ready.
    let signals: UnixSignalsSequence
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown {
            for await _ in signals {
                guard let listener else {
                    logger.notice("SIGHUP: there are no certificates to read again")
                    continue
                }
                listener.reload(logger)
            }
        }
    }
}
