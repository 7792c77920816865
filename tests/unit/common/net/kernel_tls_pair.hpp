#pragma once
// A connection whose near end the kernel seals and opens while the far end does so in user space, so that
// each checks the other.

#include <gtest/gtest.h>

#include <optional>
#include <ostream>

#include "common/net/kernel_tls.hpp"
#include "common/tls/record.hpp"
#include "tests/unit/common/net/pattern.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net::test {

// Which program the kernel's end belongs to; the other one's is in user space.
enum class Role { server, client };
inline void PrintTo(Role role, std::ostream* out) {
    *out << (role == Role::server ? "server" : "client");
}
std::string role_name(const testing::TestParamInfo<Role>& info);

// What this machine's kernel can do, asked once.
const KernelTls& kernel_tls();

struct RoleKeys {
    explicit RoleKeys(Role role);
    tls::DirectionKeys seal;
    tls::DirectionKeys open;
};
Role other(Role role);

// The far end: records made and opened by the codec, without ever waiting.
class UserEnd {
  public:
    UserEnd(int fd, Role role);

    // Seals and queues; what the socket does not take at once goes with a later push().
    void send(BytesView plaintext, tls::RecordType type = tls::RecordType::application_data);
    void send_close_notify();
    // As it stands, without sealing.
    void send_raw(BytesView bytes);
    // Writes what is queued; true when something was written.
    bool push();
    bool all_pushed() const { return outbox_.empty(); }
    // Seals without sending.
    Bytes sealed(BytesView plaintext, tls::RecordType type = tls::RecordType::application_data);

    // Reads at most `most` bytes from the socket and opens the records that are complete. True when something
    // was read or the end was seen.
    bool pull(std::size_t most = 65536);
    // What arrived since the last call.
    Bytes take() { return std::move(inbox_); }
    bool got_close_notify() const { return closed_; }
    // The connection's end, with nothing but whole records before it.
    bool got_end() const { return end_ && partial_.empty(); }
    // Empty while all is well.
    const std::string& failure() const { return failure_; }
    // Pulls until the end, `size` bytes or close_notify, and returns what came.
    Bytes receive(std::size_t size);
    void receive_close_notify();

  private:
    void open_complete();

    int fd_;
    tls::RecordSealer sealer_;
    tls::RecordOpener opener_;
    Bytes outbox_;
    Bytes partial_;
    Bytes inbox_;
    bool closed_ = false;
    bool end_ = false;
    std::string failure_;
};

// Hands both directions of a socket over; a failure fails the test.
std::optional<KernelTlsSocket> hand_over(int fd, const KernelTlsDirection& seal,
                                         const KernelTlsDirection& open);
// From the start of the stream.
std::optional<KernelTlsSocket> hand_over(int fd, const RoleKeys& keys);

// Waits for the next record that the kernel opens.
Result<KernelTlsSocket::Received> receive_soon(int fd, KernelTlsSocket& socket, MutableBytes out);

// Waits for readiness, at most the tests' patience; false when that was in vain.
bool wait_for(int fd, short events, int patience_ms = 30'000);

// Tests that need kernel TLS; skipped elsewhere, with the reason.
class KernelTlsTest : public testing::TestWithParam<Role> {
  protected:
    void SetUp() override;
    // Takes the near end over at its start.
    void take_over();

    TcpPair pair;
    UserEnd user{pair.far.get(), other(GetParam())};
    std::optional<KernelTlsSocket> kernel;
};

}  // namespace tunnel::net::test
