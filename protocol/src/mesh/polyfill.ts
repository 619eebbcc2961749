/** libp2p 3 calls Promise.withResolvers, which Node 20 lacks: this must be the first import of every entry point. */
import 'core-js/actual/promise/with-resolvers.js'
