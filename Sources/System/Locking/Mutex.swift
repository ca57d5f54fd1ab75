public import Synchronization

/// A value that one thread at a time may use.
///
/// It stands in for `Synchronization.Mutex`, whose `withLock` must not be inlined into asynchronous functions: on Linux it reads the
/// thread's id by the address of a thread-local variable, and the optimizer (Swift 6.3) may take that address before an `await` and
/// use it behind, on another thread. The lock is then taken in another thread's name, and giving it back ends the process. Here
/// locking is a call of its own, so the address is never older than the lock. `scripts/lint-locks` keeps the other one out.
public struct Mutex<Value: ~Copyable>: ~Copyable {
  @usableFromInline let base: Synchronization.Mutex<Value>

  /// - Parameter value: what it begins with.
  @inlinable
  public init(_ value: consuming sending Value) { base = Synchronization.Mutex(value) }

  /// Runs `body` while nobody else uses the value. It must not wait: threads that want the value stand still.
  @inlinable @inline(never)
  public borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    try base.withLock(body)
  }

  /// Runs `body` unless somebody else uses the value.
  /// - Returns: `nil` if somebody does.
  @inlinable @inline(never)
  public borrowing func withLockIfAvailable<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result? {
    try base.withLockIfAvailable(body)
  }
}

extension Mutex: Sendable where Value: ~Copyable {}
