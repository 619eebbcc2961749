import { type GossipSub, TopicValidatorResult } from '@libp2p/gossipsub'
import { LexoraError } from '../errors.ts'
import { GOSSIP_LIMITS } from './limits.ts'
import type { MeshLog } from './log.ts'

/** A validator's word on a message: hand on, drop silently, or drop and count against the peer that handed it on. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject'

/** What a subscriber does with the messages of a topic. `from` is the author, proven by its signature. */
export interface GossipSubscriber {
  /** Judges a message before it is handled or handed on. What it throws counts as `ignore`. */
  validate(from: string, bytes: Uint8Array): GossipVerdict
  /** Takes an accepted message. What it throws is logged. */
  handle(from: string, bytes: Uint8Array): void
}

/** What gossip uses. */
export interface GossipComponents {
  readonly pubsub: GossipSub
  readonly log: MeshLog
}

/** Publishes and listens to topics. */
export interface Gossip {
  /**
   * Sends to the peers that listen, subscribed here or not; resolves with their number, 0 when there are none. Throws
   * LexoraError `invalid_request` for a topic that the host was not set up for and `frame_too_large` above 16 KiB.
   */
  readonly publish: (topic: string, bytes: Uint8Array) => Promise<number>
  /** Listens to a topic, from `start` on; one subscriber each. Returns an unsubscribe. Throws LexoraError `invalid_request` and `conflict`. */
  readonly subscribe: (topic: string, subscriber: GossipSubscriber) => () => void
  /** The node has started: joins the topics subscribed to before. */
  start(): void
  stop(): void
}

/** Makes gossip over gossipsub for the topics that the node allows. */
export function createGossip(components: GossipComponents, topics: readonly string[]): Gossip {
  const { pubsub, log } = components
  const allowed = new Set(topics)
  const subscribers = new Map<string, GossipSubscriber>()
  let started = false

  function checkTopic(topic: string): void {
    if (!allowed.has(topic)) {
      throw new LexoraError('invalid_request', 'the host was not set up for this topic', {
        facts: { topic },
      })
    }
  }

  const onMessage: Parameters<typeof pubsub.addEventListener<'message'>>[1] = (event) => {
    const message = (event as CustomEvent<GossipMessage>).detail
    const subscriber = subscribers.get(message.topic)
    if (subscriber === undefined || message.type !== 'signed') return
    try {
      subscriber.handle(message.from.toString(), message.data)
    } catch (error) {
      log.error({ err: error, topic: message.topic }, 'gossip handler failed')
    }
  }
  pubsub.addEventListener('message', onMessage)

  function unsubscribe(topic: string): void {
    if (!subscribers.delete(topic)) return
    pubsub.topicValidators.delete(topic)
    if (started) pubsub.unsubscribe(topic)
  }

  return {
    async publish(topic, bytes) {
      checkTopic(topic)
      if (bytes.length > GOSSIP_LIMITS.messageBytesMax) {
        throw new LexoraError('frame_too_large', 'the message is too large', {
          facts: { bytes: bytes.length },
        })
      }
      try {
        return (await pubsub.publish(topic, bytes)).recipients.length
      } catch (error) {
        // Gossip is a hint: a peer that left in this moment is no failure of the caller.
        log.debug({ err: error, topic }, 'publish failed')
        return 0
      }
    },
    subscribe(topic, subscriber) {
      checkTopic(topic)
      if (subscribers.has(topic))
        throw new LexoraError('conflict', 'the topic has a subscriber', { facts: { topic } })
      subscribers.set(topic, subscriber)
      // The validator comes first, or messages would pass unjudged.
      pubsub.topicValidators.set(topic, (_source, message) => judge(subscriber, message, log))
      if (started) pubsub.subscribe(topic)
      return () => {
        if (subscribers.get(topic) === subscriber) unsubscribe(topic)
      }
    },
    start() {
      started = true
      for (const topic of subscribers.keys()) pubsub.subscribe(topic)
    },
    stop() {
      started = false
      pubsub.removeEventListener('message', onMessage)
      subscribers.clear()
    },
  }
}

type GossipMessage = Parameters<NonNullable<ReturnType<GossipSub['topicValidators']['get']>>>[1]

function judge(
  subscriber: GossipSubscriber,
  message: GossipMessage,
  log: MeshLog,
): TopicValidatorResult {
  if (message.type !== 'signed' || message.data.length > GOSSIP_LIMITS.messageBytesMax) {
    return TopicValidatorResult.Reject
  }
  try {
    const verdict = subscriber.validate(message.from.toString(), message.data)
    if (verdict === 'accept') return TopicValidatorResult.Accept
    return verdict === 'reject' ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore
  } catch (error) {
    log.warn({ err: error, topic: message.topic }, 'gossip validator failed')
    return TopicValidatorResult.Ignore
  }
}
