#pragma once
// The client's sealed answer to a StreamOpen, in front of the frames of a data connection.

#include "common/net/datagram/carrier.hpp"
#include "common/tls/record.hpp"

namespace tunnel::server {

class AnswerHead final : public net::CarrierHead {
  public:
    explicit AnswerHead(tls::RecordOpener opener) : opener_(std::move(opener)) {}
    // Errc::not_allowed with the client's own words when it refuses.
    Result<bool> take(BytesView& bytes) override;

  private:
    tls::RecordOpener opener_;
    Bytes record_;
};

}  // namespace tunnel::server
