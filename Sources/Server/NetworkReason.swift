internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// Why the network refused, in the system's words: what NIO says is meant for programmers.
package enum NetworkReason {
    package static func text(_ error: any Error) -> String {
        switch error {
        case let error as IOError: return system(error.errnoCode)
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.last?.error ?? error.dnsAError ?? error.dnsAAAAError
            return cause.map(text) ?? "there is no way to it"
        case let error as SocketAddressError.UnknownHost: return error.errorDescription
        case ChannelError.connectTimeout: return "no answer in time"
        case NIOSSLError.handshakeFailed:
            return "the handshake of TLS failed: does the server encrypt, and is its certificate known here?"
        default: return "\(error)"
        }
    }

    static func system(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// What to do when an address cannot be listened on.
    static func remedy(_ error: any Error, option: String) -> String {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: "Another server is running there: stop it, or choose another address with \(option)."
        case EACCES: "Ports below 1024 are root's: choose another one with \(option)."
        default: "Choose another address with \(option)."
        }
    }
}
