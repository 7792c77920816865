#pragma once
// Why a relay ended, in one word for logs, metrics and tests.

#include <string_view>

namespace tunnel::net {

enum class RelayEnd {
    finished,      // both directions came to their orderly end
    outer_failed,  // the visitor's or service's socket was reset or broke
    data_failed,   // the data connection was reset or broke
    truncated,     // an encrypted data connection ended without its close_notify
    tampered,      // a record on it was altered, replayed or malformed
    key_used_up,   // the key sealed as many records as it may
    refused,       // the client answered StreamRefused
    no_answer,     // the client did not answer the stream in time
    unanswered,    // the data connection broke before the client answered; the visitor may have another one
    dead_peer,     // the other end of the data connection answers nothing
    idle,          // no byte in either direction for as long as its mapping allows
    lifetime,      // it lasted as long as its mapping allows
    closed,        // an administrator ended it, or its mapping or client went away
    drained,       // the program ends and the drain time is over
};

std::string_view to_string(RelayEnd end);

}  // namespace tunnel::net
