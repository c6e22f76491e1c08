// peer.cc - client and server with libgrpc++: see ../PEERS.md. Messages are ByteBuffers, so that no
// generated code is needed: the client is the synchronous API as protoc's stubs use it, the server one
// callback reactor for every method.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>
#include <atomic>
#include <cstdio>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using grpc::ByteBuffer;
using grpc::StatusCode;
using std::string;

namespace {

const string kService = "/weir.e2e.Peer/";
const string kUnicode = "größer als 100 % \u2013 火\nzweite Zeile";
const char *const kNames[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};

string payload(unsigned seq, size_t size)
{
	char number[16];
	snprintf(number, sizeof number, "%08u", seq);
	string s(number);
	if (size > 8)
		s.append(size - 8, static_cast<char>(seq & 255));
	s.resize(size);
	return s;
}

ByteBuffer to_buffer(const string &s)
{
	grpc::Slice slice(s);
	return ByteBuffer(&slice, 1);
}

string to_string(const ByteBuffer &b)
{
	std::vector<grpc::Slice> slices;
	string s;
	if (b.Dump(&slices).ok())
		for (const auto &slice : slices)
			s.append(reinterpret_cast<const char *>(slice.begin()), slice.size());
	return s;
}

// ---- server

std::atomic<int> open_calls{0};

struct Method {
	bool counted;
	enum { ONE, EACH, ALL } requests; // answer the first, each, or all requests at their end
};
const std::map<string, Method> kMethods = {
	{"Unary", {true, Method::ONE}}, {"Sleep", {true, Method::ONE}}, {"Stats", {false, Method::ONE}},
	{"Produce", {true, Method::ONE}}, {"Chat", {true, Method::EACH}}, {"Collect", {true, Method::ALL}}};

// One call of any method. grpc calls its reactions one after the other but for OnCancel.
class Reactor : public grpc::ServerGenericBidiReactor {
public:
	explicit Reactor(grpc::GenericCallbackServerContext *context) : context_(context)
	{
		string path = context->method();
		name_ = path.compare(0, kService.size(), kService) ? "" : path.substr(kService.size());
		auto m = kMethods.find(name_);
		if (m == kMethods.end()) {
			finish(grpc::Status(StatusCode::UNIMPLEMENTED, "no such method"));
			return;
		}
		method_ = m->second;
		open_calls += method_.counted;
		StartRead(&in_);
	}

	void OnReadDone(bool ok) override
	{
		std::unique_lock<std::mutex> lock(mutex_);
		if (!ok) {
			read_all_ = true;
			if (method_.requests == Method::ALL)
				out_.push_back(std::to_string(seen_) + " " + std::to_string(seen_bytes_));
			if (method_.requests != Method::ONE)
				end_with(grpc::Status::OK);
			write_next();
			return;
		}
		string m = to_string(in_);
		if (method_.requests == Method::ONE) {
			answer(m);
		} else if (m != payload(seen_, m.size())) {
			end_with(grpc::Status(StatusCode::DATA_LOSS, "message " + std::to_string(seen_)));
		} else {
			seen_++;
			seen_bytes_ += m.size();
			if (method_.requests == Method::EACH)
				out_.push_back(m);
			else
				StartRead(&in_);
		}
		write_next();
	}

	void OnWriteDone(bool ok) override
	{
		std::unique_lock<std::mutex> lock(mutex_);
		writing_ = false;
		if (ok)
			write_next();
		else
			end_with(grpc::Status(StatusCode::CANCELLED, "gone")), out_.clear(), write_next();
	}

	void OnCancel() override
	{
		std::unique_lock<std::mutex> lock(mutex_);
		gone_ = true;
		if (!writing_ && !finished_)
			finish(grpc::Status(StatusCode::CANCELLED, "gone"));
	}

	void OnDone() override
	{
		open_calls -= method_.counted;
		delete this;
	}

private:
	string header(const char *key)
	{
		auto found = context_->client_metadata().find(key);
		return found == context_->client_metadata().end() ?
			"" :
			string(found->second.data(), found->second.size());
	}
	void echo_metadata()
	{
		for (const auto &md : context_->client_metadata()) {
			string key(md.first.data(), md.first.size());
			if (key != "x-echo" && key != "x-echo-bin")
				continue;
			string value(md.second.data(), md.second.size());
			context_->AddInitialMetadata(key, value);
			context_->AddTrailingMetadata(key, value);
		}
	}
	grpc::Status outcome()
	{
		string code = header("x-fail");
		return code.empty() ? grpc::Status::OK :
				      grpc::Status(static_cast<StatusCode>(std::stoi(code)),
					      header("x-fail-message-bin"));
	}
	void answer(const string &request)
	{
		if (name_ == "Unary") {
			echo_metadata();
			if (outcome().ok())
				out_.push_back(request);
			end_with(outcome());
		} else if (name_ == "Stats") {
			out_.push_back("{\"open\": " + std::to_string(open_calls) + "}");
			end_with(grpc::Status::OK);
		} else if (name_ == "Produce") {
			size_t space = request.find(' ');
			count_ = static_cast<unsigned>(std::stoul(request.substr(0, space)));
			size_ = std::stoul(request.substr(space + 1));
			if (header("x-wait").empty())
				end_with(outcome());
		}
	}
	void end_with(const grpc::Status &status)
	{
		if (!ending_)
			status_ = status;
		ending_ = true;
	}
	// The one place that writes, reads on, and finishes.
	void write_next()
	{
		if (writing_ || finished_)
			return;
		if (out_.empty() && made_ < count_)
			out_.push_back(payload(made_++, size_));
		if (gone_) {
			finish(grpc::Status(StatusCode::CANCELLED, "gone"));
		} else if (!out_.empty()) {
			writing_ = true;
			outgoing_ = to_buffer(out_.front());
			out_.pop_front();
			StartWrite(&outgoing_);
			if (method_.requests == Method::EACH && !read_all_ && !ending_)
				StartRead(&in_);
		} else if (ending_) {
			finish(status_);
		}
	}
	void finish(const grpc::Status &status)
	{
		finished_ = true;
		Finish(status);
	}

	grpc::GenericCallbackServerContext *context_;
	std::mutex mutex_;
	string name_;
	Method method_{false, Method::ONE};
	ByteBuffer in_, outgoing_;
	std::deque<string> out_;
	unsigned seen_ = 0, count_ = 0, made_ = 0;
	size_t seen_bytes_ = 0, size_ = 0;
	bool writing_ = false, read_all_ = false, ending_ = false, finished_ = false, gone_ = false;
	grpc::Status status_;
};

class Service : public grpc::CallbackGenericService {
	grpc::ServerGenericBidiReactor *CreateReactor(grpc::GenericCallbackServerContext *context) override
	{
		return new Reactor(context);
	}
};

int serve(const string &port)
{
	Service service;
	grpc::ServerBuilder builder;
	int bound = 0;
	builder.AddListeningPort("127.0.0.1:" + port, grpc::InsecureServerCredentials(), &bound);
	builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
	builder.SetMaxReceiveMessageSize(-1);
	builder.SetMaxSendMessageSize(-1);
	builder.RegisterCallbackGenericService(&service);
	std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (!server || !bound)
		return 1;
	std::cout << "{\"ready\": true}" << std::endl;
	for (string line; std::getline(std::cin, line);)
		;
	server->Shutdown(std::chrono::system_clock::now());
	return 0;
}

// ---- client

void check(bool cond, const string &why)
{
	if (!cond)
		throw std::runtime_error(why);
}

struct Count {
	unsigned started = 0, sent = 0, received = 0;
	size_t sent_bytes = 0, received_bytes = 0;
	std::map<string, unsigned> status;
};

struct How {
	std::vector<std::pair<string, string>> metadata;
	double timeout_s = 60;
	bool gzip = false;
	StatusCode want = StatusCode::OK;
};

class Client;

// A call of any kind as a bidirectional one: the wire is the same.
class Call {
public:
	Call(Client *client, const string &method, const How &how = How(), bool unary = false);
	void write(const string &data);
	void say(size_t size) { write(payload(written++, size)); }
	void half_close() { stream_->WritesDone(); }
	void write_last(const string &data); // the only message: head, message and end leave together
	bool read(string *data);
	void hear()
	{
		string m;
		check(read(&m), "the stream ended early");
		check(m == payload(seen, m.size()), "message " + std::to_string(seen) + " is wrong");
		seen++;
	}
	void finish(StatusCode want = StatusCode::OK);
	void close()
	{
		half_close();
		while (seen < written)
			hear();
		string more;
		check(!read(&more), "more messages than were sent");
		finish();
	}
	void cancel() { context.TryCancel(); }

	grpc::ClientContext context;
	grpc::Status status;
	unsigned written = 0, seen = 0;
	string method;

private:
	Count &count();
	void count_sent(const string &data);
	Client *client_;
	string path_;
	std::unique_ptr<grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>> stream_;
};

class Client {
public:
	explicit Client(const string &target)
	{
		grpc::ChannelArguments args;
		args.SetMaxReceiveMessageSize(-1);
		args.SetMaxSendMessageSize(-1);
		args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
		channel = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
	}
	std::shared_ptr<grpc::Channel> channel;
	std::map<string, Count> counts;
	bool hide_sent_bytes = false;
	std::mutex mutex; // counts, where two threads use one call

	string unary(const string &data, const string &method = "Unary", const How &how = How(),
		const std::function<void(Call &)> &look = nullptr)
	{
		Call call(this, method, how, true);
		call.write_last(data);
		string reply, more;
		bool got = call.read(&reply);
		if (got)
			check(!call.read(&more), "two replies");
		call.finish(how.want);
		if (look)
			look(call);
		return reply;
	}
	std::unique_ptr<Call> chat(unsigned n, const std::function<size_t(unsigned)> &size, const How &how = How())
	{
		auto call = std::make_unique<Call>(this, "Chat", how);
		for (unsigned i = 0; i < n; i++) {
			call->say(size(i));
			call->hear();
		}
		return call;
	}
	void collect(unsigned n, const How &how = How())
	{
		Call call(this, "Collect", how);
		size_t size = 0;
		for (unsigned i = 0; i < n; i++) {
			size += 8 + i * 7 % 900;
			call.say(8 + i * 7 % 900);
		}
		call.half_close();
		string reply, more;
		check(call.read(&reply) && reply == std::to_string(n) + " " + std::to_string(size),
			"the server collected something else");
		check(!call.read(&more), "two replies");
		call.finish();
	}
	void produce(unsigned n, size_t size, const How &how = How(), const string &details = "")
	{
		Call call(this, "Produce", how);
		call.write(std::to_string(n) + " " + std::to_string(size));
		call.half_close();
		for (unsigned i = 0; i < n; i++)
			call.hear();
		string more;
		check(!call.read(&more), "more messages than asked for");
		call.finish(how.want);
		check(call.status.error_message() == details, "details are " + call.status.error_message());
	}

	void do_unary(unsigned)
	{
		for (int round = 0; round < 3; round++) {
			for (unsigned size : {0, 1, 8, 100, 4091, 16379, 16384, 65536, 300000}) {
				string data = payload(size, size);
				check(unary(data) == data, "echo of " + std::to_string(size) + " bytes differs");
			}
		}
	}
	void do_collect(unsigned) { collect(300); }
	void do_produce(unsigned) { produce(1000, 100); }
	void do_chat_lockstep(unsigned)
	{
		chat(150, [](unsigned i) { return 8 + i; })->close();
	}
	void do_chat_pipelined(unsigned)
	{
		const unsigned n = 2000;
		Call call(this, "Chat");
		string problem;
		std::thread listener([&] {
			try {
				for (unsigned i = 0; i < n; i++)
					call.hear();
			} catch (const std::exception &e) {
				problem = e.what();
				call.cancel();
			}
		});
		for (unsigned i = 0; i < n; i++)
			call.say(8 + i % 300);
		call.half_close();
		listener.join();
		check(problem.empty(), problem);
		string more;
		check(!call.read(&more), "more messages than were sent");
		call.finish();
	}
	void do_metadata(unsigned)
	{
		string all;
		for (unsigned i = 0; i < 1024; i++)
			all.push_back(static_cast<char>(i & 255));
		How how;
		how.metadata = {{"x-echo", "plain text"}, {"x-echo", "second"}, {"x-echo-bin", all},
			{"x-echo-bin", ""}, {"x-echo-bin", string(1, '\0')}};
		unary("m", "Unary", how, [&](Call &call) {
			for (auto *where : {&call.context.GetServerInitialMetadata(),
				     &call.context.GetServerTrailingMetadata()}) {
				string text;
				std::multiset<string> got, want{all, "", string(1, '\0')};
				for (const auto &md : *where) {
					string value(md.second.data(), md.second.size());
					if (md.first == "x-echo") // peers may join fields (RFC 9110 5.3)
						text += (text.empty() ? "" : ", ") + value;
					else if (md.first == "x-echo-bin")
						got.insert(value);
				}
				check(text == "plain text, second" || text == "second, plain text",
					"x-echo came back as " + text);
				check(got == want, "x-echo-bin came back differently");
			}
		});
	}
	void do_large(unsigned)
	{
		string data = payload(7, 16000000);
		check(unary(data) == data, "echo of 16 MB differs");
		chat(2, [](unsigned) { return 16000000; })->close();
	}
	void do_cancel(unsigned)
	{
		for (unsigned i = 0; i < 10; i++) {
			auto call = chat(i + 1, [](unsigned) { return 50; });
			call->cancel();
			call->finish(StatusCode::CANCELLED);
		}
	}
	void do_deadline(unsigned)
	{
		How how;
		how.timeout_s = 0.3;
		how.want = StatusCode::DEADLINE_EXCEEDED;
		unary("zzz", "Sleep", how);
	}
	void do_compression(unsigned)
	{
		How how;
		how.gzip = true;
		string data = payload(1, 200000);
		check(unary(data, "Unary", how) == data, "echo differs");
		collect(100, how);
		chat(20, [](unsigned i) { return 8 + i; }, how)->close();
		hide_sent_bytes = true;
	}
	void do_errors(unsigned)
	{
		for (int code = 1; code <= 16; code++) {
			How how;
			how.metadata = {{"x-fail", std::to_string(code)}, {"x-fail-message-bin", kUnicode}};
			how.want = static_cast<StatusCode>(code);
			unary("e", "Unary", how, [](Call &call) {
				check(call.status.error_message() == kUnicode,
					"details are " + call.status.error_message());
			});
			produce(3, 20, how, kUnicode);
		}
		How nope;
		nope.want = StatusCode::UNIMPLEMENTED;
		unary("x", "Nope", nope);
	}
	void do_hold_open(unsigned)
	{
		for (unsigned i = 0; i < 5; i++)
			held_.push_back(chat(7 + i, [i](unsigned) { return 100 * i + 8; }));
		auto collecting = std::make_unique<Call>(this, "Collect");
		for (unsigned i = 0; i < 11; i++)
			collecting->say(30);
		held_.push_back(std::move(collecting));
		How how;
		how.metadata = {{"x-wait", "1"}};
		auto producing = std::make_unique<Call>(this, "Produce", how);
		producing->write("13 40");
		producing->half_close();
		for (unsigned i = 0; i < 13; i++)
			producing->hear();
		held_.push_back(std::move(producing));
	}
	void do_hold_close(unsigned)
	{
		for (auto &call : held_) {
			if (call->method == "Chat") {
				call->close();
			} else if (call->method == "Collect") {
				call->half_close();
				string reply;
				check(call->read(&reply) && reply == "11 330", "collected something else");
				call->finish();
			} else {
				call->cancel();
				call->finish(StatusCode::CANCELLED);
			}
		}
		held_.clear();
	}
	void do_many_open(unsigned n)
	{
		for (unsigned i = 0; i < (n ? n : 1000); i++)
			held_.push_back(std::make_unique<Call>(this, "Chat"));
		for (auto &call : held_)
			call->say(64);
		for (auto &call : held_)
			call->hear();
	}
	void do_many_close(unsigned)
	{
		for (auto &call : held_) {
			call->say(64);
			call->hear();
			call->close();
		}
		held_.clear();
	}

private:
	std::vector<std::unique_ptr<Call>> held_;
};

Call::Call(Client *client, const string &method_name, const How &how, bool unary)
	: method(method_name), client_(client), path_(kService + method_name)
{
	count().started++;
	for (const auto &md : how.metadata)
		context.AddMetadata(md.first, md.second);
	context.set_deadline(std::chrono::system_clock::now() +
		std::chrono::milliseconds(static_cast<int>(how.timeout_s * 1000)));
	if (how.gzip)
		context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
	context.set_initial_metadata_corked(unary);
	grpc::internal::RpcMethod rpc(path_.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING, client->channel);
	stream_.reset(grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(
		client->channel.get(), rpc, &context));
}

Count &Call::count()
{
	return client_->counts[method];
}

void Call::count_sent(const string &data)
{
	std::lock_guard<std::mutex> lock(client_->mutex);
	count().sent++;
	count().sent_bytes += data.size() + 5;
}

void Call::write(const string &data)
{
	count_sent(data);
	stream_->Write(to_buffer(data));
}

void Call::write_last(const string &data)
{
	count_sent(data);
	stream_->WriteLast(to_buffer(data), grpc::WriteOptions());
}

bool Call::read(string *data)
{
	ByteBuffer b;
	if (!stream_->Read(&b))
		return false;
	*data = to_string(b);
	std::lock_guard<std::mutex> lock(client_->mutex);
	count().received++;
	count().received_bytes += data->size() + 5;
	return true;
}

void Call::finish(StatusCode want)
{
	status = stream_->Finish();
	count().status[kNames[status.error_code()]]++;
	check(status.error_code() == want,
		method + " ended with " + kNames[status.error_code()] + ": " + status.error_message() + ", not " +
			kNames[want]);
}

const std::map<string, void (Client::*)(unsigned)> kScenarios = {{"unary", &Client::do_unary},
	{"collect", &Client::do_collect}, {"produce", &Client::do_produce},
	{"chat_lockstep", &Client::do_chat_lockstep}, {"chat_pipelined", &Client::do_chat_pipelined},
	{"metadata", &Client::do_metadata}, {"large", &Client::do_large}, {"cancel", &Client::do_cancel},
	{"deadline", &Client::do_deadline}, {"compression", &Client::do_compression},
	{"errors", &Client::do_errors}, {"hold_open", &Client::do_hold_open},
	{"hold_close", &Client::do_hold_close}, {"many_open", &Client::do_many_open},
	{"many_close", &Client::do_many_close}};

string quoted(const string &s)
{
	string out = "\"";
	for (char c : s) {
		char escape[8];
		snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
		out += c == '"' || c == '\\' || static_cast<unsigned char>(c) < 32 ? string(escape) : string(1, c);
	}
	return out + "\"";
}

string answer(const Client &client)
{
	string out;
	for (const auto &[method, c] : client.counts) {
		string status;
		for (const auto &[name, n] : c.status)
			status += (status.empty() ? "" : ", ") + quoted(name) + ": " + std::to_string(n);
		out += (out.empty() ? "" : ", ") + quoted(method) + ": {\"started\": " + std::to_string(c.started) +
			", \"sent\": " + std::to_string(c.sent) + ", \"received\": " + std::to_string(c.received) +
			", \"sent_bytes\": " + (client.hide_sent_bytes ? "null" : std::to_string(c.sent_bytes)) +
			", \"received_bytes\": " + std::to_string(c.received_bytes) + ", \"status\": {" + status + "}}";
	}
	return "{\"ok\": true, \"counts\": {" + out + "}}";
}

// The value of a key in a flat JSON object, as text.
string value_of(const string &line, const string &key)
{
	size_t at = line.find("\"" + key + "\"");
	if (at == string::npos || (at = line.find(':', at)) == string::npos)
		return "";
	at = line.find_first_not_of(" \"", at + 1);
	return line.substr(at, line.find_first_of("\",}", at) - at);
}

int run_client(const string &target)
{
	Client client(target);
	for (string line; std::getline(std::cin, line);) {
		client.counts.clear();
		client.hide_sent_bytes = false;
		try {
			auto scenario = kScenarios.find(value_of(line, "do"));
			check(scenario != kScenarios.end(), "no such scenario");
			string n = value_of(line, "n");
			(client.*scenario->second)(n.empty() ? 0 : static_cast<unsigned>(std::stoul(n)));
			std::cout << answer(client) << std::endl;
		} catch (const std::exception &e) {
			std::cout << "{\"ok\": false, \"error\": " << quoted(e.what()) << "}" << std::endl;
		}
	}
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	return string(argv[1]) == "server" ? serve(argv[2]) : run_client(argv[2]);
}
