#include "peer/forwarded_head.h"

#include "base/keyring.h"
#include "peer/codec_parts.h"
#include "proto/lattice/peer/v1/forward.pb.h"

namespace lattice::peer {
namespace {

Digest mac_of(std::string_view request, std::string_view path, uint64_t number, FrameKey& key) {
  std::string text = "forwarded request";
  text.push_back('\0');
  text.append(path);
  text.push_back('\0');
  text.append(request);
  return key.mac_of(number, text);
}

template <class Message>
bool parse_all(std::string_view bytes, Message* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string seal_head(const ForwardedHead& head, std::string_view path, uint64_t session,
                      uint64_t number, FrameKey& key) {
  v1::ForwardedRequest request;
  request.set_tenant(head.facts.tenant);
  request.set_routing_epoch(head.facts.routing_epoch);
  request.set_client(head.client);
  request.set_server_name(head.server_name);
  if (head.certificate) {
    v1::Certificate& certificate = *request.mutable_certificate();
    certificate.set_common_name(head.certificate->common_name);
    for (const std::string& name : head.certificate->dns_names) certificate.add_dns_names(name);
    for (const std::string& uri : head.certificate->uris) certificate.add_uris(uri);
  }
  v1::Passed passed;
  passed.set_session(session);
  passed.set_number(number);
  request.SerializeToString(passed.mutable_request());
  set_bytes(mac_of(passed.request(), path, number, key), passed.mutable_mac());
  return passed.SerializeAsString();
}

std::optional<SealedHead> parse_sealed_head(std::string_view bytes) {
  v1::Passed passed;
  SealedHead sealed;
  if (!parse_all(bytes, &passed) || !get_bytes(passed.mac(), &sealed.mac)) return std::nullopt;
  sealed.session = passed.session();
  sealed.number = passed.number();
  sealed.request = std::move(*passed.mutable_request());
  return sealed;
}

std::optional<ForwardedHead> open_head(const SealedHead& sealed, std::string_view path,
                                       FrameKey& key) {
  if (!equal_digests(sealed.mac, mac_of(sealed.request, path, sealed.number, key))) {
    return std::nullopt;
  }
  v1::ForwardedRequest request;
  if (!parse_all(sealed.request, &request) || request.tenant().empty()) return std::nullopt;
  ForwardedHead head;
  head.facts = {request.tenant(), request.routing_epoch()};
  head.client = request.client();
  head.server_name = request.server_name();
  if (request.has_certificate()) {
    const v1::Certificate& certificate = request.certificate();
    head.certificate.emplace();
    head.certificate->common_name = certificate.common_name();
    for (const std::string& name : certificate.dns_names()) {
      head.certificate->dns_names.push_back(name);
    }
    for (const std::string& uri : certificate.uris()) head.certificate->uris.push_back(uri);
  }
  return head;
}

std::string encode_session(uint64_t id) {
  v1::Session session;
  session.set_id(id);
  return session.SerializeAsString();
}

std::optional<uint64_t> decode_session(std::string_view bytes) {
  v1::Session session;
  if (!parse_all(bytes, &session)) return std::nullopt;
  return session.id();
}

}  // namespace lattice::peer
